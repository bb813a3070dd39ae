"""What a reply's plan asks to be done at Slack, and what it may ask for now. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from adapters.slack.render import Block, Piece

Way: TypeAlias = Literal["status", "stream", "stop", "edit"]
"""How something is shown: what one way cannot do now, another may."""


@dataclass(frozen=True)
class Allowed:
    """What may be done now."""

    ways: frozenset[Way]
    """That Slack takes there."""
    tried: frozenset[Way] = frozenset()
    """In this round."""

    def permits(self, way: Way) -> bool:
        """Whether an action of this way makes sense now."""
        return way in self.ways and way not in self.tried

    def without(self, way: Way) -> Allowed:
        """After an action of this way was tried."""
        return Allowed(self.ways, self.tried | {way})


@dataclass(frozen=True)
class SetStatus:
    """Show a status line."""

    way: ClassVar[Literal["status"]] = "status"
    text: str


@dataclass(frozen=True)
class StartStream:
    """Begin a streamed message; done, it has a `ts`."""

    way: ClassVar[Literal["stream"]] = "stream"
    text: str
    """With the opening of a code block that the last segment closed."""
    taken: int
    """Characters of the reply in it."""


@dataclass(frozen=True)
class Append:
    """Add to the open stream."""

    way: ClassVar[Way] = "stream"
    ts: str
    text: str


@dataclass(frozen=True)
class StopStream:
    """End the open stream with these words. It must be done: the right to it was reserved when the stream began."""

    way: ClassVar[Way] = "stop"
    ts: str
    part: int
    text: str = ""
    taken: int = 0
    """Characters of the reply in the text; the rest closes a code block."""
    blocks: tuple[Block, ...] = ()
    is_last: bool = False
    """It ends the reply, and the thread's agent session with it."""


@dataclass(frozen=True)
class Post:
    """Post a message of its own; done, it has a `ts`."""

    part: int
    piece: Piece


@dataclass(frozen=True)
class Update:
    """Edit a message; done, it has a `ts`, which is another one if the message was gone."""

    part: int
    piece: Piece
    ts: str


@dataclass(frozen=True)
class Delete:
    """Delete a message."""

    ts: str


@dataclass(frozen=True)
class Edit:
    """Bring the messages nearer to the text: what must not be done now is left out, and nothing is posted after a gap."""

    way: ClassVar[Way] = "edit"
    writes: tuple[Post | Update, ...]
    status: str = ""
    """The status that stands in the message, as there are no words yet."""


Showing: TypeAlias = SetStatus | StartStream | Append | StopStream | Edit
"""Actions while the reply grows."""
Ending: TypeAlias = StopStream | Post | Update | Delete
"""Actions that leave the reply as it stays."""
