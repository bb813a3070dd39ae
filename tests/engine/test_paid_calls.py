"""What one message may cost, whatever a model says: calls of every kind are counted where they are paid for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import OverloadedError
from bot.policy.limits import LIMITS
from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.store import schema
from bot.types import ModelProfile, TextDelta, ToolCall, Usage
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, FakeClock, answer
from tests.making import picture, voice_note
from tests.support import rows

Round: TypeAlias = Sequence[tuple[str, dict[str, Any]]] | str | None
"""Tools that the model calls at once, or what it says, or nothing: then its server is overloaded."""
ARGUMENTS = st.fixed_dictionaries(
    {}, optional={"prompt": st.text(max_size=9), "shape": st.sampled_from(("square", "odd")), "more": st.integers()}
)
NAMES = st.sampled_from(("generate_image", "generate_image", "edit_image", "speak", "forget", "search", ""))
PAINTED = st.tuples(st.just("generate_image"), st.just({"prompt": "a cat", "shape": "square"}))
CALLS = st.lists(st.one_of(PAINTED, PAINTED, st.tuples(NAMES, ARGUMENTS)), min_size=1, max_size=60)
ROUNDS = st.lists(
    st.one_of(CALLS, CALLS, st.sampled_from(("", "yes", "word " * 3_000)), st.none()), min_size=1, max_size=9
)
VOICE, PICTURE = voice_note("draw"), picture("a cat")


class Spendthrift:
    """Echo's provider, but for a model that says what the test made up, again and again."""

    def __init__(self, echo: Any) -> None:
        self._echo = echo
        self.rounds: Sequence[Round] = ()
        self.asked = 0
        self.profile = ModelProfile("echo:echo", 100_000, 9_000, sees_images=True, calls_tools=True, is_local=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._echo, name)

    def chat(self, model: str) -> Spendthrift:
        """Itself."""
        return self

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """The next round, tools or not."""
        said, self.asked = self.rounds[self.asked % len(self.rounds)], self.asked + 1
        if said is None:
            raise OverloadedError("busy")
        if isinstance(said, str):
            yield TextDelta(said)
            yield ModelDone(Usage(1), "stop")
            return
        for number, (name, arguments) in enumerate(said):
            yield ToolCall(f"c{self.asked}-{number}", name, arguments)
        yield ModelDone(Usage(1), "tools")


def test_paid_calls_of_a_message_are_bounded_whatever_the_model_says(
    make_app: MakeApp, platform: FakeAdapter, clock: FakeClock
) -> None:
    """With a voice note, a picture and a wish for speech, and a model that calls any tool any number of times, fails and rambles:
    eight calls of it a try, four pictures, one transcript and one spoken answer.
    """
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        app = runner.run(stack.enter_async_context(make_app()))
        model = Spendthrift(app.providers["echo"])
        app.providers["echo"] = model  # type: ignore[assignment]

        async def paid(rounds: Sequence[Round]) -> Counter[str]:
            model.rounds, model.asked = rounds, 0
            before = len(await rows(app, schema.calls))
            files = {"note.ogg": VOICE, "cat.png": PICTURE}
            clock.at += timedelta(days=2)  # limits of a minute and of a day are not what is tried here
            await answer(app, platform, platform.says("read this", files=files, wants_speech=True))
            return Counter(row.modality for row in (await rows(app, schema.calls))[before:])

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(rounds=ROUNDS)
        def is_bounded(rounds: Sequence[Round]) -> None:
            counted = runner.run(paid(rounds))
            assert counted["chat"] <= LIMITS.rounds * OverloadedError.max_attempts
            assert counted["image"] <= LIMITS.pictures_per_turn
            assert counted["transcribe"] <= 1 and counted["speech"] <= 1

        try:
            is_bounded()
        finally:
            runner.run(stack.aclose())
