"""The adapter of the world's platform, and a model that repeats all that it was told: what could leak, leaks.

Every text that Parley shows is looked at in the moment it shows, and every prompt in the moment the model reads it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.ports import ChatRequest, ModelDone, ModelEvent
from bot.types import (
    Address,
    Attachment,
    Author,
    Backfill,
    Capabilities,
    Command,
    InboundMessage,
    ModelProfile,
    Receipt,
    Reply,
    ReplyEvent,
    Status,
    Text,
    TextDelta,
    Turn,
    Usage,
)
from tests.fakes import FakeAdapter
from tests.worlds.platform import PLATFORM, Platform, Post, words_in

PRIVATE = {"search", "settings", "persona", "usage", "forget", "help"}
"""Commands whose answers only their author sees. Said here anew, so that a mistake in the code is no mistake in the truth."""
LOOKED = "looked"
"""In an inbound's `ref`: the channel that the person has before them."""
BACKFILLED = 20
PIECE = 400


def is_told_to_all(command: Command) -> bool:
    """Whether it is a choice for others too, by somebody who may make it: the others are told."""
    is_choice = command.text.startswith("set ") and not command.text.endswith("for me") and not command.is_direct
    is_of_thread = bool(command.address.thread) and command.text.endswith("for here")
    return command.name == "settings" and is_choice and (command.author.is_manager or is_of_thread)


@dataclass
class Witness:
    """What was seen in one world, and what should not have been."""

    platform: Platform
    name: str = ""
    leaks: list[str] = field(default_factory=list)
    gone: dict[str, str] = field(default_factory=dict)
    """Words that Parley is to know no more, and why."""
    fresh: dict[str, str] = field(default_factory=dict)
    """Words that the model said first, by the turn."""
    turns: dict[str, Turn] = field(default_factory=dict)
    running: dict[str, Turn] = field(default_factory=dict)
    """By the name of the conversation."""
    count: int = 0
    prompts: int = 0
    """How many a model read."""
    hears_all: bool = True

    def word(self) -> str:
        """One that was never said."""
        self.count += 1
        return f"w{self.name}{self.count:04}q"

    def is_private(self, turn: Turn) -> bool:
        """Whether only its asker sees the answer."""
        inbound = turn.inbound
        return inbound.ephemeral or (
            isinstance(inbound, Command) and inbound.name in PRIVATE and not is_told_to_all(inbound)
        )

    def viewers(self, turn: Turn) -> set[str]:
        """Who sees the answer. Whom the platform shows no past may hear of it by others' answers, as by their messages."""
        place = self.platform.place_at(turn.inbound.address)
        assert place is not None, turn.inbound.address
        readers = self.platform.readers(place)
        if self.is_private(turn):
            return readers & {turn.requester.id}
        return {one for one in readers if one == turn.requester.id or self.platform.sees_past(one, place)}

    def look_at(self, turn: Turn, text: str, what: str) -> None:
        """Note the words that somebody sees and may not, and those that nobody is to see any more."""
        for word in words_in(text):
            if self.fresh.get(word) == turn.id or self._is_own_setting(turn, word):
                continue
            for person in sorted(self.viewers(turn)):
                if not self.platform.knows(person, word) and not self._is_pressed_blind(turn, word):
                    self.leaks.append(f"{person} sees {word} in {what} at {turn.inbound.address}")
            if self.is_gone(word):
                self.leaks.append(f"{word}, {self.gone[word]}, is in {what} at {turn.inbound.address}")

    def _is_pressed_blind(self, turn: Turn, word: str) -> bool:
        """Whether it stands in the question that somebody has answered anew whom the platform shows no past: they saw it then."""
        place = self.platform.place_at(turn.inbound.address)
        is_blind = place is not None and not self.platform.sees_past(turn.requester.id, place)
        return is_blind and word in turn.inbound.text

    def _is_own_setting(self, turn: Turn, word: str) -> bool:
        return word in self.platform.settings and self.platform.settings[word][1] == turn.requester.id

    def asked_anew(self, words: set[str]) -> None:
        """They still stand at the platform, and somebody asks about what stands there: Parley may know them again."""
        for word in words:
            self.gone.pop(word, None)

    def is_gone(self, word: str) -> bool:
        """Whether Parley is to have it no more: no answer that nobody took back repeats it."""
        return (
            word in self.gone
            and word not in self.platform.settings
            and not any(self.platform.living_answers_with(word))
        )


class WorldAdapter(FakeAdapter):
    """The port, over the world that is being lived through."""

    name = PLATFORM
    witness: Witness

    @property
    def capabilities(self) -> Capabilities:  # type: ignore[override]
        """As the world has it."""
        return Capabilities(hears_all=self.witness.hears_all)

    async def open(self, turn: Turn) -> Receipt:
        """Post, or take the post of the earlier answer."""
        seen = self.witness
        seen.turns[turn.id] = seen.running[f"conversation-{turn.conversation_id}"] = turn
        if turn.receipt:
            return Receipt(turn.inbound.address, turn.id, turn.receipt.message_ids)
        found = [key for key, shown in self.posts.items() if shown.turn_id == turn.id]
        receipt = await super().open(turn)
        return receipt if found else Receipt(turn.inbound.address, turn.id, (f"R-{turn.id}",))

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Look at it."""
        self.witness.look_at(self.witness.turns[receipt.turn_id], text, "a status")

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Look at every piece."""
        turn = self.witness.turns[receipt.turn_id]
        async for event in events:
            if isinstance(event, TextDelta | Status):
                self.witness.look_at(turn, event.text, "an answer")

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave the answer at the platform."""
        seen, turn = self.witness, self.witness.turns[receipt.turn_id]
        text = "\n".join((reply.text, *reply.notices, *(str(part) for part in reply.parts)))
        seen.look_at(turn, text, "an answer")
        platform, place = seen.platform, seen.platform.place_at(turn.inbound.address)
        assert place is not None
        if (post := platform.posts.get(receipt.message_ids[0])) is not None:
            post.is_deleted = False  # where ours was deleted, an answer given anew is posted anew
            platform.leave_out(post, platform.edit(post, text))
        else:
            only_for = turn.requester.id if seen.is_private(turn) else ""
            question = platform.posts.get(turn.inbound.message_id)
            platform.add(Post(receipt.message_ids[0], place, "", text, only_for=only_for, question=question))
        return receipt

    async def backfill(self, inbound: InboundMessage | Command) -> Backfill:
        """What stands there before the question, or in the channel that its author has before them: with their rights."""
        platform = self.witness.platform
        place = platform.place_at(inbound.address)
        if place is not None and place.is_direct:
            looked = [one for one in platform.places if one.address.key() == inbound.ref.get(LOOKED)]
            place = looked[0] if looked else None
        reader = inbound.author.id
        if place is None or not platform.may_read(reader, place) or not platform.sees_past(reader, place):
            return Backfill()
        found = [
            post for post in platform.shown_in(place, inbound.author.id) if not post.only_for and not post.is_deleted
        ]
        asked = platform.posts.get(inbound.message_id)
        found = [post for post in found if asked is None or post.sent < asked.sent][-BACKFILLED:]
        self.witness.asked_anew({word for post in found if not post.is_forgotten for word in post.words()})
        for post in found:
            post.is_known = True
        return Backfill(tuple(self.delivered(post) for post in found))

    def delivered(self, post: Post, **more: Any) -> InboundMessage:
        """A message as the platform delivers it."""
        author = Author(post.author_id, post.author_id.title() or "Parley", is_bot=not post.author_id)
        self.files |= post.files
        files = tuple(
            Attachment(name.rpartition("/")[2], "", len(data), {"file": name}) for name, data in post.files.items()
        )
        address = post.place.address
        return InboundMessage(f"E-{post.id}", post.id, address, author, post.text, files, **more)

    async def readable_by(self, reader: InboundMessage | Command, places: Sequence[Address]) -> Collection[Address]:
        """Those that this person may read now."""
        platform, workspace = self.witness.platform, reader.address.workspace
        known = [place for place in platform.places if place.address in places and not place.is_direct]
        return {
            place.address
            for place in known
            if place.address.workspace == workspace
            and platform.may_read(reader.author.id, place)
            and platform.sees_past(reader.author.id, place)
        }


class Parrot:
    """Echo's provider, whose chat model repeats its whole prompt when the last message asks it to be loud."""

    def __init__(self, echo: Any, adapter: WorldAdapter) -> None:
        self._echo = echo
        self._adapter = adapter

    def __getattr__(self, name: str) -> Any:
        return getattr(self._echo, name)

    def chat(self, model: str) -> ParrotChat:
        """The model."""
        return ParrotChat(self._adapter)


class ParrotChat:
    """It keeps nothing to itself."""

    profile = ModelProfile(
        name="echo:echo",
        context_tokens=200_000,
        output_tokens=50_000,
        sees_images=True,
        reads_files=True,
        calls_tools=True,
        is_local=True,
    )

    def __init__(self, adapter: WorldAdapter) -> None:
        self._adapter = adapter

    async def stream(self, request: ChatRequest) -> AsyncIterator[ModelEvent]:
        """All that it read, or one new word."""
        seen = self._adapter.witness
        turn = seen.running[request.conversation]
        read = str(request.messages)
        seen.prompts += 1
        seen.look_at(turn, read, "a prompt")
        asked = str([part for part in request.messages[-1].parts if isinstance(part, Text)])
        fresh = seen.word()
        seen.fresh[fresh] = turn.id
        said = f"tell {fresh} {read if 'loud' in asked else ''}"
        for start in range(0, len(said), PIECE):  # a word that is cut in two is looked at in the end
            yield TextDelta(said[start : start + PIECE])
        yield ModelDone(Usage(input_tokens=1, output_tokens=1), "stop")
