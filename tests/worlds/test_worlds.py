"""Random worlds: whatever people do, nobody sees by Parley what the platform would not show them at that moment."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import true

from tests.conftest import MakeConfig
from tests.fakes import FakeClock
from tests.worlds.adapter import Parrot, WorldAdapter
from tests.worlds.play import ACTS, PLATFORM, Act, Stage, WorldApp, begun
from tests.worlds.rows import look_for

NUMBERS = itertools.count(1)
LIKELY = (
    "say",
    "ask",
    "ask loudly",
    "ask loudly",
    "look",
    "look",
    "member",
    "search",
    "search",
    "delete",
    "command ask",
)
PEOPLE = st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)
PLACES = st.lists(st.integers(0, 9), min_size=1, max_size=2).map(tuple)
ACT = st.builds(Act, st.sampled_from((*LIKELY, *ACTS)), st.integers(0, 2), st.integers(0, 4), st.integers(0, 5))
HISTORIES = st.tuples(st.builds(Stage, PEOPLE, PLACES, st.booleans()), st.lists(ACT, min_size=2, max_size=14))


@asynccontextmanager
async def parley(config: Any, *, durable: bool = False) -> AsyncIterator[tuple[WorldApp, WorldAdapter, FakeClock]]:
    """A whole Parley at the world's platform."""
    adapter, clock = WorldAdapter(), FakeClock()
    app = WorldApp(config, only=(), clock=clock, durable=durable, more={PLATFORM: adapter})
    app.ended = {}
    async with app.running():
        app.providers["echo"] = Parrot(app.providers["echo"], adapter)  # type: ignore[assignment]
        yield app, adapter, clock


async def lived(app: WorldApp, adapter: WorldAdapter, clock: FakeClock, stage: Stage, acts: Sequence[Act]) -> None:
    """Live through that history, and look at the rows in the end."""
    world = begun(app, adapter, clock, next(NUMBERS), stage)
    for act in acts:
        await world.do(act)
    await world.release()
    await world.do(Act("usage"))
    gone = {word: why for word, why in world.seen.gone.items() if world.seen.is_gone(word)}
    left = await look_for(app, world.seen.name, gone)
    assert not left, left


@contextmanager
def living(config: Any, *, durable: bool = False) -> Iterator[Callable[[Stage, Sequence[Act]], None]]:
    """Gives what lives through a history, at one Parley for all of them."""
    with asyncio.Runner() as runner:
        running = parley(config, durable=durable)
        app, adapter, clock = runner.run(running.__aenter__())
        try:
            yield lambda stage, acts: runner.run(lived(app, adapter, clock, stage, acts))
        finally:
            runner.run(running.__aexit__(None, None, None))


def live_through(config: Any, count: int, *, durable: bool = False, **options: Any) -> None:
    """Live through so many random worlds."""
    with living(config, durable=durable) as live:

        @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), **options)
        @given(history=HISTORIES)
        def lives(history: tuple[Stage, list[Act]]) -> None:
            live(*history)

        lives()


def config_for(kind: str, make_config: MakeConfig, request: pytest.FixtureRequest) -> Any:
    """On that kind of database."""
    if kind == "sqlite":
        return make_config()
    return make_config(database_url=request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize(("kind", "count"), [("sqlite", 400), ("postgresql", 40)])
def test_nobody_sees_what_the_platform_would_not_show_them(
    kind: str, count: int, make_config: MakeConfig, request: pytest.FixtureRequest
) -> None:
    """In hundreds of random worlds no word reaches, by a prompt or an answer, anybody who may not read it at that moment; and what
    was deleted, edited away or forgotten is in no prompt, no answer and no row.
    """
    live_through(config_for(kind, make_config, request), count)


@pytest.mark.hard
@pytest.mark.parametrize(
    ("kind", "count", "durable"), [("sqlite", 20_000, False), ("sqlite", 2_000, True), ("postgresql", 1_000, False)]
)
def test_nobody_sees_what_the_platform_would_not_show_them_in_thousands(
    kind: str, count: int, durable: bool, make_config: MakeConfig, request: pytest.FixtureRequest
) -> None:
    """The same in tens of thousands of worlds, some of them with recorded steps."""
    live_through(config_for(kind, make_config, request), count, durable=durable)


async def nothing(*given: Any, **named: Any) -> int:
    """A rule that is not kept."""
    return 0


async def nobody(*given: Any, **named: Any) -> set[str]:
    """Nothing is gone."""
    return set()


async def all_of_it(turn: Any, told: Sequence[tuple[Any, str]], runtime: Any) -> list[Any]:
    """A history that asks for no rights."""
    return [message for message, _ in told]


async def readable_all(context: Any, page: Sequence[Any], known: dict[Any, bool]) -> None:
    """A search that asks for no rights."""
    here = context.turn.inbound.address
    known |= {replace(here, channel=hit.channel, thread=hit.thread): True for hit in page}


BROKEN: dict[str, tuple[str, str, Any]] = {
    "what one person was shown is read by all": ("bot.inbox.writer", "is_in_context", lambda *given: True),
    "private answers are read by all": ("bot.engine.settle", "is_in_context", lambda *given: True),
    "search asks nobody": ("bot.engine.commands.search", "_ask_rights", readable_all),
    "search looks into direct conversations": ("bot.store.search", "_is_candidate", lambda scope: true()),
    "the past is read by whom it is not shown": ("bot.engine.answer", "history_for", lambda reader, told: list(told)),
    "copies of deleted originals stay": ("bot.store.context", "delete_copies", nothing),
    "copies of deleted answers stay": ("bot.store.deletion", "delete_copies", nothing),
    "copies keep the old words": ("bot.store.context", "edit_copies", nothing),
    "copies outlive /forget": ("bot.store.deletion", "forget_copies", nothing),
    "titles keep deleted words": ("bot.store.deletion", "retitle", nothing),
    "titles keep old words": ("bot.store.messages", "retitle", nothing),
    "late deliveries bring back what is gone": ("bot.store.graves", "buried", nobody),
    "context brings back what was forgotten": ("bot.store.context", "buried", nobody),
    "repeats outlive the original": ("bot.store.context", "tie", nothing),
    "events keep what was repeated": ("bot.store.events", "erase_payload", nothing),
    "events keep what was deleted": ("bot.store.deletion", "erase_payloads", nothing),
    "copies of old answers stay": ("bot.store.deletion", "delete_copies_of_answers", nothing),
    "copies are read for ever": ("bot.engine.answer", "_readable", all_of_it),
    "anybody presses": ("bot.inbox.writer", "may_press", lambda *given: True),
}
"""Each rule of visibility, broken on purpose: its module, its name, and what stands there instead."""


@pytest.mark.hard
@pytest.mark.parametrize("name", BROKEN)
def test_the_worlds_notice_each_broken_rule(
    name: str, make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that is not kept is noticed within some thousand worlds: so they look where they should."""
    module, rule, instead = BROKEN[name]
    monkeypatch.setattr(import_module(module), rule, instead)
    with pytest.raises(AssertionError):
        live_through(make_config(), 3_000, phases=(Phase.generate,), report_multiple_bugs=False, database=None)
