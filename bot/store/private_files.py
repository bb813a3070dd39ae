"""Files that no other user of the machine may read: people's words stand in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
FOR_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private_folder(folder: Path) -> None:
    """Create the folder for its owner alone, whatever the umask; a folder that exists stays as it is. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        folder.mkdir(mode=FOLDER_MODE)
        folder.chmod(FOLDER_MODE)  # the umask may have taken even the owner's rights


def make_private_file(path: Path) -> None:
    """Create an empty file for its owner alone, whatever the umask; a file that exists stays as it is. Raises OSError.

    SQLite gives the files that it makes beside a database, `-wal` and `-shm`, the database's own mode.
    Source: SQLite, `findCreateFileMode` in os_unix.c.
    """
    with suppress(FileExistsError):
        made = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE)
        os.close(made)
        path.chmod(FILE_MODE)


def open_to_others(paths: Iterable[Path]) -> list[Path]:
    """Those of the files and folders that exist and that other users of the machine have any right to. None on Windows."""
    if os.name == "nt":
        return []
    return [path for path in paths if path.exists() and stat.S_IMODE(path.stat().st_mode) & FOR_OTHERS]
