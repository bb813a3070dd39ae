"""Checks what the emulator was asked: by our own description always, and by the vendor's OpenAPI file where that is at hand."""

from __future__ import annotations

from collections.abc import Iterable

from tests.emulators import vendor
from tests.emulators.openai.schema import problems_of_request
from tests.emulators.openai.server import Logged

SPEC = "openai-openapi-2.3.0.json"
NEWER = ("'languages'", "'max' is not one of", "'xhigh' is not one of")
"""What the SDK has and the file has not yet."""


def violations(requests: Iterable[Logged]) -> list[str]:
    """What is forbidden in the requests that were answered.

    Where the vendor's file is not at hand, the running test is marked as having skipped that check.
    """
    answered = [one for one in requests if one.method == "POST" and one.status < 400]
    found = [problem for one in answered for problem in problems_of_request(one.path, one.body())]
    if vendor.is_at_hand(SPEC):
        found += [problem for one in answered for problem in _by_vendor(one)]
    return found


def _by_vendor(one: Logged) -> list[str]:
    told = vendor.specification(SPEC).check_request(one.method, one.path, one.body(), one.content_type)
    return [f"vendor: POST {one.path} {problem}" for problem in told if not any(newer in problem for newer in NEWER)]
