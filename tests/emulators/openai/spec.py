"""Checks what the emulator was asked against the vendor's OpenAPI file, where that lies beside the project."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from tests.emulators.openai.server import Logged

SHARED = Path(__file__).resolve().parents[4] / "shared"
SPEC_FILE = SHARED / "specs" / "openai-openapi-2.3.0.json"
NEWER = ("'languages'", "'max' is not one of", "'xhigh' is not one of")
"""What the SDK has and the file has not yet."""


@cache
def load() -> Any:
    """The checker with every object closed, or None where the file is missing."""
    if not SPEC_FILE.exists():
        return None
    found = importlib.util.spec_from_file_location("spec_check", SHARED / "tools" / "spec_check.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.Spec(json.loads(SPEC_FILE.read_text(encoding="utf-8")))


def violations(requests: Iterable[Logged]) -> list[str]:
    """What the file forbids in requests that were answered; empty, too, where the file is missing."""
    spec = load()
    if spec is None:
        return []
    return [
        f"{one.method} {one.path} {problem}"
        for one in requests
        if one.method == "POST" and one.status < 400
        for problem in spec.check_request(one.method, one.path, one.body(), one.content_type)
        if not any(newer in problem for newer in NEWER)
    ]
