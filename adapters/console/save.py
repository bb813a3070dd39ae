"""Pictures, voice clips and files of a reply, written where a person finds them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from adapters.shared.uploads import extension_of
from bot.errors import UsageError
from bot.ports import Blobs
from bot.types import Audio, File, Image, Part, Reply

UNSAFE = re.compile(r"[^\w.\- ]+")


async def save(reply: Reply, blobs: Blobs, folder: Path, prefix: str, voice: Path | None = None) -> list[Path]:
    """Write everything but text into the folder, and return the paths in order. voice: where the clip goes instead.

    prefix: begins each file's name, so that no answer writes over another's. Raises UsageError when a place cannot be written.
    """
    saved = []
    for number, part in enumerate(_kept(reply.parts), start=1):
        own = voice if isinstance(part, Audio) else None
        path = own or folder / f"{prefix}-{number}{_name(part)}"
        await asyncio.to_thread(_write, path, await blobs.read(part.blob))
        saved.append(path)
    return saved


def _kept(parts: Iterable[Part]) -> list[Image | Audio | File]:
    return [part for part in parts if isinstance(part, Image | Audio | File)]


def _name(part: Image | Audio | File) -> str:
    """Return the end of a file's name: its own name, or its type's extension."""
    if isinstance(part, File) and part.name:
        return f"-{UNSAFE.sub('_', Path(part.name).name)}"
    return f".{extension_of(part.blob.mime_type)}"


def _write(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {(error.strerror or 'unknown reason').lower()}.") from error
