"""Owns the check of REST calls to Discord: by our own description always, by the vendor's OpenAPI file where that is at hand."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.discord.emulator import Call
from tests.emulators import vendor
from tests.emulators.discord_schema import problems_of_answer, problems_of_request

SPEC = "discord-openapi-v10.json"
UNDESCRIBED = {("POST", "/attachments/refresh-urls"), ("POST", "/channels/{channel_id}/threads")}
"""What the vendor's file leaves out: fresh addresses, and a forum post's answer with its message."""


def complaints(calls: Iterable[Call], *, answers: bool = True) -> list[str]:
    """What is wrong with the calls that were answered well. Unknown parameters are errors, and so is having nothing to look at.

    answers: check what was answered too, not only what was asked. Where the vendor's file is not at hand, the running test is
    marked as having skipped that check.
    """
    made = list(calls)
    if not made:
        return ["no call was made: there is nothing to check"]
    checked = [call for call in made if 200 <= call.status < 300]
    found = [message for call in checked for message in _by_us(call, answers=answers)]
    if vendor.is_at_hand(SPEC):
        found += [message for call in checked for message in _by_vendor(call, answers=answers)]
    return list(dict.fromkeys(found))


def _by_us(call: Call, *, answers: bool) -> list[str]:
    told = problems_of_request(call.method, call.route, call.body)
    return told + (problems_of_answer(call.method, call.route, call.answer) if answers else [])


def _by_vendor(call: Call, *, answers: bool) -> list[str]:
    if _is_undescribed(call):
        return []
    return _of_request(call) + (_of_answer(call) if answers else [])


def _is_undescribed(call: Call) -> bool:
    """Beside the routes above, the file does not know forwards: references of type 1."""
    is_forward = isinstance(call.answer, dict) and "message_snapshots" in call.answer
    return is_forward or (call.method, call.route) in UNDESCRIBED


def _of_request(call: Call) -> list[str]:
    kind = "application/json" if call.body is None or call.files else call.content_type
    body = vendor.checker().from_discord_py(call.body)
    told = vendor.specification(SPEC).check_request(call.method, call.path, body, kind)
    return [f"vendor: request {call.method} {call.route}: {message}" for message in told]


def _of_answer(call: Call) -> list[str]:
    if call.answer is None:
        return []
    told = vendor.specification(SPEC).check_response(call.method, call.path, call.status, call.answer)
    return [f"vendor: answer {call.method} {call.route}: {message}" for message in told]
