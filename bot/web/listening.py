"""Taking the port, before anything else of Parley is begun."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

from bot.errors import ConfigError

BACKLOG = 128
"""Connections that may wait to be accepted. Source: the defaults of asyncio, 100, and of aiohttp, 128."""


def bind(host: str, port: int) -> list[socket.socket]:
    """Take the port at every address of the host; connections wait until a server serves them.

    port: 0 takes a free one. Raises ConfigError that names PORT or HOST.
    """
    taken: list[socket.socket] = []
    failed: OSError | None = None
    try:
        places = dict.fromkeys(
            (family, address)
            for family, _, _, _, address in socket.getaddrinfo(
                host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        )
        for family, address in places:
            at = taken[0].getsockname()[1] if taken else port
            try:
                taken.append(socket.create_server((address[0], at, *address[2:]), family=family, backlog=BACKLOG))
            except OSError as error:  # such as ::1 where there is no IPv6
                failed = error
                if error.errno == errno.EADDRINUSE:
                    break
    except OSError as error:
        failed = error
    if failed is not None and (not taken or failed.errno == errno.EADDRINUSE):
        close(taken)
        raise _cannot_listen(failed, host, port) from failed
    return taken


def close(sockets: Iterable[socket.socket]) -> None:
    """Close what `bind` opened. Calling it again is harmless."""
    for one in sockets:
        one.close()


def _cannot_listen(error: OSError, host: str, port: int) -> ConfigError:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"HOST: {host} is not an address of this machine; set HOST to 127.0.0.1 or 0.0.0.0.")
    if error.errno == errno.EACCES:
        return ConfigError(f"PORT: this user is not allowed to listen on port {port}; set PORT to a number above 1023.")
    if error.errno == errno.EADDRINUSE:
        return ConfigError(
            f"PORT: another program is listening on {host}:{port}; stop it, or set PORT to another number."
        )
    return ConfigError(f"PORT: cannot listen on {host}:{port}: {error.strerror or error}.")
