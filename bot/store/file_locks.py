"""Locks on files beside a SQLite database, which the system frees when a process dies, however it dies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from sqlalchemy.engine import URL

from bot.store.private_files import make_private_file


def lock_path(database: URL, name: str) -> Path:
    """The file beside the database that is locked in that name."""
    file = Path(database.database or "parley.db")
    return file.with_name(f"{file.name}.{name}.lock")


def lock_file(path: Path) -> IO[bytes] | None:
    """The open file, locked until it is closed; None when somebody else holds it, in this process or another. Raises OSError."""
    make_private_file(path)
    file = path.open("ab")
    try:
        _lock(file)
    except OSError:
        file.close()
        return None
    return file


def _lock(file: IO[bytes]) -> None:
    """Raises OSError when another process holds it."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
