"""What a process gives up before it opens strangers' bytes: the network, other programs, processes and files, and much memory.

On Linux the kernel holds it, for root and everybody else alike: seccomp refuses calls, Landlock files. Elsewhere the limits of the
process must do; `lacking` says what nothing holds.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress

OPEN_FILES = 64
"""Pipes, modules while they load, and a few of the libraries' own."""
NETWORK = "the network is within its reach"
FILES = "Parley's other files are within its reach"
_lacking: list[str] = []


def enter(memory_bytes: int) -> None:
    """For ever, for this process and its threads. memory_bytes: of addresses."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform != "win32":
        os.nice(5)
        _limit(memory_bytes)
    _lacking.extend(_held_by_the_kernel())


def lacking() -> list[str]:
    """What the system did not let this process give up, in words."""
    return list(_lacking)


def allow_processor(seconds: float) -> None:
    """So many seconds more, of each of its processors."""
    if sys.platform == "win32":
        return
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(time.process_time() + seconds * (os.cpu_count() or 1)) + 1
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _limit(memory_bytes: int) -> None:
    """Processes are bounded by seccomp: Linux's own limit counts those of the user, and threads among them."""
    if sys.platform == "win32":
        return
    import resource

    wanted = {resource.RLIMIT_AS: memory_bytes, resource.RLIMIT_NOFILE: OPEN_FILES, resource.RLIMIT_CORE: 0}
    if sys.platform == "darwin":
        wanted[resource.RLIMIT_NPROC] = 0
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(OSError, ValueError):  # macOS knows the limit of addresses but does not hold it
            resource.setrlimit(kind, (soft, hard if kind == resource.RLIMIT_AS else soft))


def _held_by_the_kernel() -> list[str]:
    if sys.platform != "linux":
        return [NETWORK, FILES]
    from bot.media import landlock, seccomp

    found = []
    for what, hold in ((FILES, landlock.hold), (NETWORK, seccomp.hold)):
        try:
            hold()
        except OSError:
            found.append(what)
    return found
