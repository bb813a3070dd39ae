"""File descriptors: as many as the system allows, and a share kept back for our own calls, files and processes."""

from __future__ import annotations

try:
    import resource
except ImportError:  # Windows, where sockets are counted apart from files
    resource = None  # type: ignore[assignment]

MAX_WANTED = 65_536
"""Enough for anything here. macOS and some containers allow numbers that other programs choke on."""
RESERVED = 256
"""Kept back from connections: for the database, models, platforms, files and the processes that read files."""
FEWEST = 16
"""Connections that are taken even where the system allows hardly any descriptors."""


def raise_descriptor_limit() -> int:
    """Raise this process's limit of open descriptors as far as the system lets it, and return it."""
    if resource is None:
        return MAX_WANTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_WANTED if hard == resource.RLIM_INFINITY else min(hard, MAX_WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft if soft != resource.RLIM_INFINITY else MAX_WANTED
    for limit in (wanted, 10_240):  # macOS allows OPEN_MAX and no more, whatever it says
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (ValueError, OSError):
            continue
        return limit
    return soft


def connections_within(limit: int, wanted: int) -> int:
    """Return how many of the wanted connections may be open at once under this limit of descriptors."""
    return max(FEWEST, min(wanted, limit - min(RESERVED, limit // 2)))
