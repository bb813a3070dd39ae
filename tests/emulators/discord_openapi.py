"""Owns the check of REST calls against Discord's own OpenAPI file, where that lies beside the project."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from adapters.discord.emulator import Call

SHARED = Path(__file__).resolve().parents[3] / "shared"
SPEC_FILE = SHARED / "specs" / "discord-openapi-v10.json"
UNDESCRIBED = {("POST", "/attachments/refresh-urls"), ("POST", "/channels/{channel_id}/threads")}
"""What the vendor's file leaves out: fresh addresses, and a forum post's answer with its message."""


@functools.cache
def load() -> tuple[Any, Any]:
    """The strict checker, and its reading of discord.py's known differences."""
    found = importlib.util.spec_from_file_location("spec_check", SHARED / "tools" / "spec_check.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.Spec(json.loads(SPEC_FILE.read_text())), module.from_discord_py


def complaints(calls: Iterable[Call], *, answers: bool = True) -> list[str]:
    """What the vendor's file has against the calls that were answered well; nothing where the file is not at hand.

    answers: check what was answered too, not only what was asked. Unknown parameters are errors.
    """
    if not SPEC_FILE.exists():
        return []
    checked = [call for call in calls if 200 <= call.status < 300 and not _is_undescribed(call)]
    found = [message for call in checked for message in _of_request(call)]
    found += [message for call in checked if answers for message in _of_answer(call)]
    return list(dict.fromkeys(found))


def _is_undescribed(call: Call) -> bool:
    """Beside the routes above, the file does not know forwards: references of type 1."""
    is_forward = isinstance(call.answer, dict) and "message_snapshots" in call.answer
    return is_forward or (call.method, call.route) in UNDESCRIBED


def _of_request(call: Call) -> list[str]:
    spec, from_discord_py = load()
    kind = "application/json" if call.body is None or call.files else call.content_type
    return [
        f"request {call.method} {call.route}: {m}"
        for m in spec.check_request(call.method, call.path, from_discord_py(call.body), kind)
    ]


def _of_answer(call: Call) -> list[str]:
    if call.answer is None:
        return []
    told = load()[0].check_response(call.method, call.path, call.status, call.answer)
    return [f"answer {call.method} {call.route}: {message}" for message in told]
