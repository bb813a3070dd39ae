"""Discord's times and amounts that are Parley's own choice: handed to the adapter when it is made, so tests have others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """How long things take, and how much is read or sent at once."""

    start_s: float = 0.15
    """An answer that is whole sooner than this is posted at once."""
    retry_s: float = 1.0
    """Until a write that Discord had no time for is tried again."""
    typing_s: float = 8.0
    """Until typing is shown again; Discord shows it for 10 seconds. Source: Discord, Trigger Typing Indicator."""
    max_typing: int = 75
    """How often at most: ten minutes."""
    max_request_bytes: int = 24 * 1024 * 1024
    """Below the 25 MiB of a whole request. Source: Discord, Create Message."""
    ready_s: float = 0.5
    """How long the gateway may take between two servers before it counts as ready."""
    accept_again_s: tuple[float, ...] = (0.2, 1.0, 5.0)
    """Pauses before an inbound is handed in again: the database may be locked, and Discord delivers nothing twice."""
    spare_identifies: int = 5
    """Kept of the day's logins: at their end Discord resets the token. Source: Discord, Gateway, Session Start Limit."""
    missed_pages: int = 20
    """Read of a channel after a downtime; the newest are read first, for these are still waited for."""
    summary_pages: int = 3
    """Read for "Summarise from here"."""


PACE = Pace()
