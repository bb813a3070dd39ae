"""What was written down of an inbound, and what is left to do once the transaction is through."""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import LimitError
from bot.types import Accepted


@dataclass(frozen=True)
class QueuedTurn:
    """A turn that was written down, to be handed to the jobs once the transaction is through."""

    turn_id: str
    lane: str
    sequence: int
    person: str
    position: int = 0


@dataclass(frozen=True)
class Written:
    """What was written down, and what is left to do once the transaction is through."""

    accepted: Accepted
    queued: QueuedTurn | None = None
    stopped: tuple[str, ...] = ()
    """Turns to be told to stop."""
    followers: tuple[QueuedTurn, ...] = ()
    """What came before it and is due because of it."""


REPEATED, IGNORED = Written(Accepted("repeated")), Written(Accepted("ignored"))
NOTED, DONE = Written(Accepted("noted")), Written(Accepted("done"))


def queued(turn: QueuedTurn, *, stopped: tuple[str, ...] = ()) -> Written:
    """An answer is due."""
    return Written(Accepted("queued", turn.turn_id, turn.position), turn, stopped)


def refused(error: LimitError, *, is_told: bool = True) -> Written:
    """It is asked too often. is_told: the person reads why."""
    return Written(Accepted("refused", reason=error.text if is_told else ""))
