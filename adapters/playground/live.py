"""What one open page shows of running answers: bus messages in, events for the page out. Pure, except for rendering."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.playground import CAPABILITIES, render
from bot.policy.actions import actions_for
from bot.types import GrowingText, Part, Reply, from_json

Event = tuple[str, dict[str, Any]]
"""Name and data of an event that the page gets."""


class Renders(Protocol):
    """Renders a text as the HTML of its blocks; see `renderer.Renderer`."""

    async def blocks(self, text: str) -> list[str]:
        """Render a text that is complete."""

    async def preview(self, text: str) -> list[str]:
        """Render a text that is still growing."""


@dataclass
class _Answer:
    """An answer as it grows."""

    turn: str
    epoch: float = 0.0
    words: GrowingText = field(default_factory=GrowingText)
    status: str = ""
    parts: list[Part] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    """The blocks the page has."""
    shown_rest: tuple[str, int] = ("", 0)
    """The status and the number of parts it has."""


class View:
    """Turns the messages of the answering process into the changes of one page."""

    def __init__(self, renderer: Renders) -> None:
        self._renderer = renderer
        self._answers: dict[str, _Answer] = {}
        self._out: list[tuple[str, dict[str, Any], Reply | None]] = []

    def take(self, told: Mapping[str, Any]) -> bool:
        """Take one bus message. Returns False when an earlier one was missed, so that the whole text has to be asked for."""
        match told:
            case {"kind": "open", "to": str(to), "turn": str(turn)}:
                self._answers[to] = _Answer(turn)
                self._out.append(("begin", {"to": to, "turn": turn}, None))
            case {"kind": "snapshot", "to": str(to)}:
                self._take_snapshot(to, told)
            case {"kind": "delta", "to": str(to)}:
                return self._take_delta(to, told)
            case {"kind": "done", "to": str(to), "turn": str(turn), "reply": dict(plain)}:
                self._answers.pop(to, None)
                self._out.append(("done", {"to": to, "turn": turn}, from_json(plain)))
            case {"kind": "settled", "turn": str(turn)}:
                self._out.append(("settled", {"turn": turn}, None))
            case {"kind": "changed"}:
                self._out.append(("changed", {}, None))
        return True

    async def changes(self) -> list[Event]:
        """Return what the page has to be told since the last call; renders each answer at most once.

        What comes in meanwhile waits for the next call, or an answer's text could overtake its beginning.
        """
        out, self._out = self._out, []
        answers = list(self._answers.items())
        told = [(name, data | (await draw_reply(reply, self._renderer) if reply else {})) for name, data, reply in out]
        for to, answer in answers:
            told += _rest(to, answer)
            told += _blocks(to, answer, await self._renderer.preview(answer.words.text))
        return told

    def _take_snapshot(self, to: str, told: Mapping[str, Any]) -> None:
        answer = self._answers.setdefault(to, _Answer(told["turn"]))
        if told["epoch"] >= answer.epoch:
            answer.turn, answer.epoch, answer.words = told["turn"], told["epoch"], GrowingText(told["text"])
            answer.status, answer.parts = told["status"], from_json(told["parts"])

    def _take_delta(self, to: str, told: Mapping[str, Any]) -> bool:
        answer = self._answers.setdefault(to, _Answer(told["turn"]))
        at, add = told["at"], told["add"]
        if told["epoch"] > answer.epoch and at == 0:
            answer.turn, answer.epoch, answer.words, answer.parts = told["turn"], told["epoch"], GrowingText(), []
        if told["epoch"] != answer.epoch:
            return bool(told["epoch"] < answer.epoch)
        if at > len(answer.words):
            return False
        answer.words.add(add[len(answer.words) - at :])
        return True


def _rest(to: str, answer: _Answer) -> Iterator[Event]:
    rest = (answer.status, len(answer.parts))
    if rest != answer.shown_rest:
        answer.shown_rest = rest
        yield "rest", {"to": to, "turn": answer.turn, "status": answer.status, "parts": render.draw_parts(answer.parts)}


def _blocks(to: str, answer: _Answer, now: list[str]) -> Iterator[Event]:
    """Yield the blocks from the first one that differs: a long answer is not sent again with each word."""
    pairs = zip(now, answer.shown, strict=False)
    same = next((at for at, (new, old) in enumerate(pairs) if new != old), min(len(now), len(answer.shown)))
    if same < max(len(now), len(answer.shown)):
        answer.shown = now
        yield "blocks", {"to": to, "turn": answer.turn, "at": same, "blocks": now[same:]}


async def draw_reply(reply: Reply, renderer: Renders) -> dict[str, Any]:
    """Return the final answer as the page draws it."""
    return {
        "text": reply.text,
        "blocks": await renderer.blocks(reply.text),
        "parts": render.draw_parts(reply.parts),
        "notices": list(reply.notices),
        "model": reply.model,
        "error": reply.error,
        "is_stopped": reply.stopped,
        "is_truncated": reply.truncated,
        "actions": actions_for(reply, CAPABILITIES),
    }
