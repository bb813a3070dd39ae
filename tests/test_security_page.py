"""docs/security.md: every promise names the tests and the attacks that hold it, and all of these exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| (?!promise|-)(.+?) \| (.+) \|$", re.MULTILINE)


def functions_of(path: Path) -> set[str]:
    """The functions that a file defines."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_promise_is_held_by_tests_that_exist() -> None:
    """Each row of the tables names at least one, by file and function."""
    rows = ROW.findall(PAGE.replace("|---|---|", ""))
    assert len(rows) > 40
    assert [promise for promise, tests in rows if not NAMED.search(tests)] == []
    named = set(NAMED.findall(PAGE))
    missing = {
        (path, name) for path, name in named if not (ROOT / path).exists() or name not in functions_of(ROOT / path)
    }
    assert sorted(missing) == []


def test_every_weapon_is_named_by_its_finding() -> None:
    """The attacks' own table is complete: each weapon says what it stands for and what it tries."""
    from tests.attacks.__main__ import MODULES
    from tests.attacks.table import WEAPONS

    assert MODULES and all(one.about and one.attack.__doc__ for one in WEAPONS)
    kinds = {kind for one in WEAPONS for kind in one.about.split()}
    assert {f"H{number}" for number in range(10)} <= kinds
