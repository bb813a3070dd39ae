"""Who may see: what a model reads of a conversation, which answers are for one person's eyes, and what a search may find."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bot.policy.changes import is_announced
from bot.types import Address, Author, Command, CommandSpec, InboundMessage, Message


def concerns_one_person(inbound: InboundMessage | Command, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether it is a command that concerns only the person who gave it, such as `/usage`, wherever it was given."""
    return isinstance(inbound, Command) and inbound.name in commands and commands[inbound.name].is_private


def is_private_answer(inbound: InboundMessage | Command, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether the answer is for the asker's eyes only: asked for in private, or by a command that concerns only its author.

    A choice that holds for others too is told where they read it.
    """
    return inbound.ephemeral or (concerns_one_person(inbound, commands) and not is_announced(inbound))


def is_in_context(inbound: InboundMessage | Command, commands: Mapping[str, CommandSpec]) -> bool:
    """Whether the model reads it and its answer when the conversation goes on.

    Not what only its author sees in a place shared with others, nor a command that concerns only its author.
    """
    if concerns_one_person(inbound, commands):
        return False
    return inbound.is_direct or not inbound.ephemeral


def history_for(reader: Author, history: Sequence[Message]) -> list[Message]:
    """What a model may read of a conversation in order to answer this person.

    Where the platform does not show them what was said before, that is what they said themselves, and what was answered to it.
    history: oldest first, each answer behind its question.
    """
    if reader.sees_history:
        return list(history)
    kept: list[Message] = []
    is_theirs = False
    for message in history:
        if message.role == "user":
            is_theirs = message.author_id == reader.id and not message.is_context
        if is_theirs:
            kept.append(message)
    return kept


@dataclass(frozen=True)
class SearchScope:
    """What a person's search may look at, as the place it is made from allows."""

    reader_id: str
    place: Address | None
    """The shared place it is made from; None for a conversation that only this person and Parley have."""

    def includes(
        self, at: Address, speakers: Collection[str], readable: Collection[Address], *, is_direct: bool
    ) -> bool:
        """Whether the messages of a conversation may be found.

        at: where it is held. speakers: who said something in it that all who are there could read; copies fetched as context are
        nobody's words there. readable: the shared places that the platform lets this person read now; where they
        write is not always among them.
        """
        if is_direct:
            return self.place is None and set(speakers) == {self.reader_id}
        return at in readable


def searchable_from(address: Address, reader_id: str, *, is_direct: bool) -> SearchScope:
    """What this person may find from there. What was said to Parley alone is never found from a place that others share."""
    return SearchScope(reader_id, None if is_direct else address)
