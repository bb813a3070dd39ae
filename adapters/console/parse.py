"""Turns lines of a terminal into values. Pure, except that attached files are looked at."""

from __future__ import annotations

import difflib
import getpass
import mimetypes
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from adapters.console.ref import ConsoleRef
from bot.errors import UsageError
from bot.policy.addressing import known_command, typed_command
from bot.types import Address, Attachment, Author, Command, CommandSpec, InboundMessage

PLATFORM = "console"
WORKSPACE = "local"
OWN_COMMANDS = {
    "attach": "Send a file along with the next message: /attach FILE",
    "new": "Go on in another conversation: /new [NAME]",
    "quit": "Leave; the conversation is kept.",
}
"""What the terminal does itself, beside the commands that all platforms have."""


@dataclass(frozen=True)
class OwnCommand:
    """Something for the terminal itself."""

    name: Literal["attach", "new", "quit"]
    text: str = ""


@dataclass(frozen=True)
class Session:
    """Who is at the terminal, and in which conversation."""

    address: Address
    author: Author


def open_session(conversation: str = "default") -> Session:
    """Return a session of whoever is logged in, in that conversation. Raises UsageError for an empty name."""
    if not conversation.strip():
        raise UsageError("A conversation needs a name, such as `default`.")
    name = user_name()
    return Session(Address(PLATFORM, WORKSPACE, conversation.strip()), Author(name, name))


def user_name() -> str:
    """Return the name of whoever is logged in; `user` where the system has none, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "user"


def parse(
    line: str,
    session: Session,
    attachments: Sequence[Attachment],
    commands: Mapping[str, CommandSpec],
    *,
    now: datetime,
    speak: bool = False,
) -> InboundMessage | Command:
    """Parse a line as a message, or as a command when it begins with a slash and a word. Raises UsageError for an unknown one."""
    event_id, files = uuid.uuid4().hex, tuple(attachments)
    if typed := typed_command(line):
        name, text = typed
        if name not in commands:
            raise UsageError(f"There is no command /{name}.{_hint(name, commands)}")
        return Command(
            event_id, session.address, session.author, name, text, files, now, event_id, True, wants_speech=speak
        )
    return InboundMessage(
        event_id, event_id, session.address, session.author, line, files, now, True, wants_speech=speak
    )


def parse_own(line: str) -> OwnCommand | None:
    """Parse a command for the terminal itself; None when the line is none."""
    typed = known_command(line, OWN_COMMANDS)
    return OwnCommand(typed.name, typed.text) if typed else None  # type: ignore[arg-type]


def _hint(name: str, commands: Mapping[str, CommandSpec]) -> str:
    near = difflib.get_close_matches(name, [*commands, *OWN_COMMANDS], n=1)
    return f" Did you mean /{near[0]}?" if near else " /help lists what there is."


def attachment(path: Path) -> Attachment:
    """Return the file as an attachment, to be read when its turn comes. Raises UsageError when it cannot be read."""
    path = path.expanduser()
    try:
        size_bytes = path.stat().st_size
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or 'unknown reason').lower()}.") from error
    if path.is_dir() or not os.access(path, os.R_OK):
        raise UsageError(f"{path} cannot be read: {'it is a folder' if path.is_dir() else 'permission denied'}.")
    mime_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Attachment(path.name, mime_type, size_bytes, ConsoleRef(str(path.absolute())).to_ref(), _kind(mime_type))


def _kind(mime_type: str) -> Literal["image", "audio", "video", "file"]:
    match mime_type.partition("/")[0]:
        case "image":
            return "image"
        case "audio":
            return "audio"
        case "video":
            return "video"
    return "file"
