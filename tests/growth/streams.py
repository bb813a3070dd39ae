"""Answers that come in very many pieces: what keeps them, and what decides what is shown of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

from adapters.console.screen import DrawnScreen
from adapters.discord.reply.plan import Edit as DiscordEdit
from adapters.discord.reply.plan import Plan as DiscordPlan
from adapters.discord.reply.plan import Post as DiscordPost
from adapters.playground import live
from adapters.shared.live import LiveText
from adapters.slack.render import Rendered
from adapters.slack.reply.actions import Allowed, Append, StartStream, StopStream
from adapters.slack.reply.plan import Plan as SlackPlan
from bot.engine.draft import Draft
from bot.engine.streams import StopSequences
from bot.ports import ChatRequest
from bot.providers.openai import PLUGIN
from bot.providers.openai.chat import CompletionsModel
from bot.providers.openai.client import Connection
from bot.providers.openai.responses import ResponsesModel
from bot.store.bus import Joiner, notifications
from bot.types import DEFAULT_SETTINGS, GrowingText, Message, Reply, Text, TextDelta

Pieces = Callable[[int], list[str]]
PIECES: dict[str, Pieces] = {
    "letters": lambda size: ["a"] * size,
    "letters behind a long text": lambda size: ["a" * size * 1_000] + ["b"] * size,
    "wide letters behind a long text": lambda size: ["\U0001f469" * size * 250] + ["b"] * size,
    "lines": lambda size: ["- a\n"] * size,
    "half calls": lambda size: ["<@U1|"] * size,
}
"""Streams by what comes, of so many pieces."""
PAINTS = 8
"""How often an answer is painted while it comes: at a pace, however many pieces there are."""
LINES = {"letters": PIECES["letters"], "lines": PIECES["lines"], "items": lambda size: ["- a", "\n"] * (size // 2)}


def kept_by_draft(pieces: Sequence[str]) -> object:
    """The engine's sum."""
    draft = Draft()
    for piece in pieces:
        draft.add(TextDelta(piece))
    return draft.reply()


def kept_live(pieces: Sequence[str]) -> object:
    """The adapters' sum."""
    text = LiveText()
    return [text.take(TextDelta(piece)) for piece in pieces], text.text


def kept_growing(pieces: Sequence[str]) -> object:
    """What both are made of."""
    text = GrowingText()
    for piece in pieces:
        text.add(piece)
    return len(text), text.text


def shown_on_page(pieces: Sequence[str]) -> object:
    """An open page that is told each piece."""
    view, at = live.View(None), 0  # type: ignore[arg-type]
    for piece in pieces:
        view.take({"kind": "delta", "to": "q", "turn": "t", "epoch": 1.0, "at": at, "add": piece})
        at += len(piece)
    return view


def shown_at_discord(pieces: Sequence[str]) -> object:
    """The plan of an answer at Discord."""
    plan = DiscordPlan(start_s=0.0, retry_s=1.0)
    for number, piece in enumerate(pieces):
        plan.on_event(TextDelta(piece), float(number))
        if number % max(len(pieces) // PAINTS, 1) == 0:
            match plan.next_action(float(number)):
                case DiscordPost() as post:
                    plan.on_posted(post, f"{number}")
                case DiscordEdit() as edit:
                    plan.on_edited(edit)
    return plan.live.text


def shown_at_slack(pieces: Sequence[str]) -> object:
    """The plan of an answer that is streamed at Slack."""
    plan, allowed = SlackPlan({"U1": "Grace"}), Allowed(frozenset({"status", "stream", "edit"}))
    plan.begin()
    for number, piece in enumerate(pieces):
        plan.on_event(TextDelta(piece), float(number))
        if number % max(len(pieces) // PAINTS, 1) == 0:
            match plan.next_action(float(number), allowed):
                case StartStream() | Append() | StopStream() as action:
                    plan.on_done(action, float(number), f"{number}")
    plan.close()
    text = "".join(pieces)
    return plan.last_of_stream(Reply((Text(text),)), Rendered((), (), text), None)


def drawn_on_terminal(pieces: Sequence[str]) -> object:
    """The terminal, of which nothing is seen."""
    import io

    screen = DrawnScreen(io.StringIO(), io.StringIO())
    for piece in pieces:
        screen.show(TextDelta(piece))
    return screen


def stopped(pieces: Sequence[str]) -> object:
    """A stream with stop sequences that it nearly meets."""
    stops = StopSequences(["aaab", "\n\n\n\nx", "- a\n" * 500 + "b"])
    return [stops.feed(piece) for piece in pieces]


def sent_over_the_bus(pieces: Sequence[str]) -> object:
    """A long message cut and put together again."""
    joiner = Joiner()
    return [joiner.add(one) for one in notifications("topic", {"text": "".join(pieces)})]


# --- What providers send ---------------------------------------------------------------------------------------------


class _Stream:
    """The SDK's stream of these events."""

    def __init__(self, events: Sequence[Any]) -> None:
        self._events = iter(events)

    def __aiter__(self) -> _Stream:
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._events)
        except StopIteration:
            raise StopAsyncIteration from None

    async def close(self) -> None:
        """Nothing is open."""


def _connection(events: Sequence[Any]) -> Connection:
    async def create(**_: Any) -> _Stream:
        return _Stream(events)

    connection = Connection(PLUGIN.options())
    connection.client = SimpleNamespace(  # type: ignore[assignment]
        chat=SimpleNamespace(completions=SimpleNamespace(create=create)), responses=SimpleNamespace(create=create)
    )
    return connection


def _all_of(stream: AsyncIterator[Any]) -> list[Any]:
    async def read() -> list[Any]:
        return [event async for event in stream]

    return asyncio.run(read())


def _request() -> ChatRequest:
    return ChatRequest((Message("user", (Text("hi"),)),), DEFAULT_SETTINGS, None)  # type: ignore[arg-type]


def _chunk(**delta: Any) -> Any:
    made = SimpleNamespace(**{"content": None, "tool_calls": None, **delta})
    return SimpleNamespace(id="c", usage=None, choices=[SimpleNamespace(delta=made, finish_reason=None)])


def _called(arguments: str, index: int | None, id: str) -> Any:
    function = SimpleNamespace(name="draw", arguments=arguments)
    return _chunk(tool_calls=[SimpleNamespace(index=index, id=id, function=function)])


def _completions(chunks: list[Any]) -> object:
    end = SimpleNamespace(delta=None, finish_reason="stop")
    chunks = [*chunks, SimpleNamespace(id="c", usage=None, choices=[end])]
    return _all_of(CompletionsModel("a-model", _connection(chunks)).stream(_request()))


def said_by_completions(pieces: Sequence[str]) -> object:
    """Words by Chat Completions."""
    return _completions([_chunk(content=piece) for piece in pieces])


def called_by_completions(pieces: Sequence[str]) -> object:
    """One tool call by Chat Completions, its arguments in pieces."""
    return _completions([_called(piece, 0, "call") for piece in pieces])


def many_called_by_completions(pieces: Sequence[str]) -> object:
    """As many tool calls as there are pieces, without an index."""
    return _completions([_called(piece, None, f"call-{number}") for number, piece in enumerate(pieces)])


def said_by_responses(pieces: Sequence[str]) -> object:
    """Words by Responses."""
    events = [SimpleNamespace(type="response.output_text.delta", delta=piece, item_id="i") for piece in pieces]
    usage = SimpleNamespace(input_tokens=1, output_tokens=1)
    response = SimpleNamespace(incomplete_details=None, usage=usage, id="r")
    return _all_of(
        ResponsesModel(
            "gpt-6-luna", _connection([*events, SimpleNamespace(type="response.completed", response=response)])
        ).stream(_request())
    )


STREAM_CALLS: dict[str, Callable[[Any], object]] = {
    "bot.engine.draft.Draft.add": kept_by_draft,
    "bot.engine.streams.StopSequences.feed": stopped,
    "bot.types.growing.GrowingText.add": kept_growing,
    "bot.store.bus.Joiner.add": sent_over_the_bus,
    "bot.store.bus.notifications": sent_over_the_bus,
    "adapters.playground.live.View.take": shown_on_page,
    "adapters.shared.live.LiveText.take": kept_live,
}
"""On a stream of pieces."""
PLAN_CALLS: dict[str, Callable[[Any], object]] = {
    "adapters.discord.reply.plan.Plan.on_event": shown_at_discord,
    "adapters.slack.reply.plan.Plan.last_of_stream": shown_at_slack,
}
"""On a stream of pieces, shown now and then."""
LINE_STREAM_CALLS: dict[str, Callable[[Any], object]] = {
    "adapters.console.screen.DrawnScreen.show": drawn_on_terminal,
    "bot.providers.openai.chat.CompletionsModel.stream": said_by_completions,
    "bot.providers.openai.chat.CompletionsModel.stream, one call": called_by_completions,
    "bot.providers.openai.chat.CompletionsModel.stream, many calls": many_called_by_completions,
    "bot.providers.openai.responses.ResponsesModel.stream": said_by_responses,
}
"""On a stream of pieces, with more work for each."""
