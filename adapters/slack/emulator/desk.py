"""Owns nothing but the list of what the parts of the emulator lend one another."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from .delivery import Post
from .events import Events
from .faults import Faults
from .interactivity import Interactivity
from .limits import Limits
from .socket_mode import SocketMode
from .timeline import Timeline
from .uploads import Uploads
from .workspace import Json
from .world import World


@dataclass(frozen=True)
class CallRecord:
    """One call to the Web API as the log keeps it."""

    method: str
    args: Json
    at: float
    """Seconds on the emulator's clock."""
    status: int
    error: str | None
    team_id: str | None
    answer: Json = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it was carried out and said so."""
        return self.status == 200 and self.error is None


@dataclass
class Desk:
    """Everything that answers a call, joined once by the emulator."""

    world: World
    post: Post
    events: Events
    timeline: Timeline
    sockets: SocketMode
    interactivity: Interactivity
    uploads: Uploads
    limits: Limits
    faults: Faults
    calls: list[CallRecord] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    """The addresses that previews were fetched from."""
    codes: dict[str, Json] = field(default_factory=dict)
    """OAuth codes that were given out and not yet exchanged."""
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let something happen in the background until the emulator closes."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        self.world.changed("background")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing runs in the background and every delivery is done with."""
        return not self._tasks and all(delivery.done for delivery in self.post.log)

    async def close(self) -> None:
        """End what runs in the background."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.post.close()
        await self.sockets.close()
