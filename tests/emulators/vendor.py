"""Owns the vendors' own files, which may lie beside the project: the checker over each, and a mark on each test that went without.

The project holds none of them. What it writes itself about the same requests is in `discord_schema.py` and `openai/schema.py`, and
is checked always.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Iterator, MutableSequence
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"
SPECS = SHARED / "specs"
SKIPPED = "vendor check skipped"
"""The property of a test that passed without a check against a vendor's file; its value names the file."""
_running: list[MutableSequence[tuple[str, object]]] = []


def watch(properties: MutableSequence[tuple[str, object]]) -> None:
    """From now on these are the properties of the test that runs."""
    _running[:] = [properties]


def is_at_hand(name: str) -> bool:
    """Whether that file or folder is there; where it is not, the running test is marked as having skipped a vendor check."""
    if (SPECS / name).exists():
        return True
    for properties in _running:
        if (SKIPPED, name) not in properties:
            properties.append((SKIPPED, name))
    return False


def needs(name: str) -> pytest.MarkDecorator:
    """The mark of a test that is nothing but a check against a vendor's file or folder."""
    return pytest.mark.skipif(not (SPECS / name).exists(), reason=f"vendor check: {name} is not in {SPECS}")


def require(name: str) -> None:
    """Skip the running test, by name, where that file is not there."""
    if not (SPECS / name).exists():
        pytest.skip(f"vendor check: {name} is not in {SPECS}")


@functools.cache
def checker() -> Any:
    """The module that reads a specification strictly: every object is closed."""
    found = importlib.util.spec_from_file_location("spec_check", SHARED / "tools" / "spec_check.py")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@functools.cache
def specification(name: str) -> Any:
    """The strict reading of that file; an error where it is not there, since nothing was checked then."""
    return checker().Spec(json.loads((SPECS / name).read_text(encoding="utf-8")))


def skipped(reports: Iterator[Any]) -> dict[str, int]:
    """How many tests passed without a check against each file, from pytest's reports of their parts."""
    found = {(report.nodeid, name) for report in reports for kind, name in _properties(report) if kind == SKIPPED}
    names = sorted({name for _, name in found})
    return {name: sum(1 for _, other in found if other == name) for name in names}


def _properties(report: Any) -> list[tuple[str, str]]:
    return [(str(kind), str(value)) for kind, value in getattr(report, "user_properties", ())]
