"""Whether something holds the event loop: for how long, as a metric, and the culprit's name in the log.

The loop tells when it waits for something to happen, and when it goes on: from then on nothing else runs until it waits again.
A thread looks at what the loop's thread is doing once that takes too long. A function of C that holds the interpreter holds that
thread too; it looks right when the function has returned, and finds who called it. While nothing happens, all this costs nothing.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from bot import telemetry

HOLD_S = 0.25
QUIET_S = 60.0
SHORTEST_S = 0.001
"""Of what the metric counts: most passes of the loop are far shorter."""
LOOP = (str(Path(asyncio.__file__).parent), threading.__file__)
"""Files of the loop itself, which only calls what holds it."""
LIBRARIES = (*(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")), "<")
UNSEEN = "what had ended before it could be looked at"
log = logging.getLogger(__name__)


class LoopWatch:
    """Watches the loop in which `watch` runs."""

    def __init__(self, *, hold_s: float = HOLD_S, quiet_s: float = QUIET_S) -> None:
        """hold_s: whoever holds the loop for longer is named in the log. quiet_s: one culprit at most once in so long."""
        self._hold_s, self._quiet_s = hold_s, quiet_s
        self._since: float | None = None
        """When the loop went on; None while it waits."""
        self._seen: Counter[tuple[str, str]] = Counter()
        """Who held the loop, and where, each time that the thread looked since then."""
        self._named_at: dict[str, float] = {}
        self._is_over = threading.Event()

    async def watch(self) -> None:
        """Until cancelled."""
        loop_thread = threading.get_ident()
        threading.Thread(target=self._look, args=(loop_thread,), name="loop watch", daemon=True).start()
        selector: Any = vars(asyncio.get_running_loop())["_selector"]  # asyncio's loops all have one
        wait = selector.select
        selector.select = listening = self._listening(wait)
        try:
            await asyncio.Event().wait()
        finally:
            self._is_over.set()
            if selector.select is listening:
                selector.select = wait

    def _listening(self, wait: Callable[[float | None], Any]) -> Callable[[float | None], Any]:
        """The loop's way to wait for something to happen, told of here."""

        def wait_and_tell(timeout: float | None = None) -> Any:
            self._end()
            try:
                return wait(timeout)
            finally:
                self._since = time.monotonic()

        return wait_and_tell

    def _end(self) -> None:
        """The loop has done what there was to do."""
        since, self._since = self._since, None
        if since is None or (now := time.monotonic()) - since < SHORTEST_S:
            return
        telemetry.loop_lag_seconds.observe(now - since)
        if now - since >= self._hold_s and not self._is_over.is_set():
            self._name(now - since, now)

    def _name(self, held_s: float, now: float) -> None:
        seen, self._seen = self._seen, Counter()
        culprit, where = seen.most_common(1)[0][0] if seen else (UNSEEN, "")
        if culprit not in self._named_at or now - self._named_at[culprit] >= self._quiet_s:
            self._named_at[culprit] = now
            log.warning("the loop was held for %.2f s by %s%s", held_s, culprit, where)

    def _look(self, loop_thread: int) -> None:
        """What the other thread does, at long intervals while the loop waits."""
        pause_s = self._hold_s / 2
        while not self._is_over.wait(pause_s):
            since, pause_s = self._since, self._hold_s / 2
            held_s = time.monotonic() - since if since is not None else 0.0
            if held_s >= self._hold_s:
                frame = sys._current_frames().get(loop_thread)
                if frame is not None and self._since == since:
                    self._seen[_culprit(frame)] += 1
            elif since is not None:
                pause_s = self._hold_s - held_s


def _culprit(frame: FrameType) -> tuple[str, str]:
    """The innermost function of ours, and where in it, with the function of a library that it waits for, if it does."""
    frames = [one for one in _outwards(frame) if not one.f_code.co_filename.startswith(LOOP)]
    if not frames:
        return UNSEEN, ""
    inmost = frames[0]
    ours = next((one for one in frames if not one.f_code.co_filename.startswith(LIBRARIES)), inmost)
    return _name_of(ours), f" (line {ours.f_lineno})" + ("" if ours is inmost else f", in {_name_of(inmost)}")


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _name_of(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"
