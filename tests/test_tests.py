"""What holds for the tests themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TypeAlias

TESTS = Path(__file__).parent
PATCHED = {
    ("acceptance/test_slack_turns.py", "emulated_files.SHARE_DELAY_S"),
    ("engine/test_perceive.py", "apart.PDFS"),
    ("unit/test_store.py", "bot.store.LOG_BYTES"),
    ("unit/test_store.py", "bot.store.sqlite_driver.BUSY_TIMEOUT_MS"),
}
"""Constants of our modules that tests still set. Times and limits come in by constructor: this list only gets shorter."""
FOREIGN = {"discord.http.Route.BASE", "discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY"}
"""Constants of libraries that offer no other way."""
FAILING = {
    "raises",
    "fail",
    "warns",
    "to_have_text",
    "to_be_visible",
    "to_have_count",
    "wait_for_selector",
    "wait_for_function",
}
"""Calls that fail when what they look for is not so: pytest's, and those of the browser."""
Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+")


def patched_constants(path: Path) -> set[str]:
    """The constants that a test file sets, by `setattr` or by assignment to a module's attribute."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _called(node) == "setattr" and node.args]
    targets = [target for node in nodes if isinstance(node, ast.Assign) for target in node.targets]
    names = {_named(node) for node in calls}
    names |= {ast.unparse(target) for target in targets if isinstance(target, ast.Attribute)}
    return {name for name in names if CONSTANT.fullmatch(name.rsplit(".", 1)[-1])}


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _named(node: ast.Call) -> str:
    """The dotted name that a call of `setattr` sets."""
    first = node.args[0]
    if isinstance(first, ast.Constant):
        return str(first.value)
    second = node.args[1] if len(node.args) > 1 else first
    name = str(second.value) if isinstance(second, ast.Constant) else ast.unparse(second)
    return f"{ast.unparse(first)}.{name}"


def functions(path: Path) -> list[Function]:
    """All functions of a file, those within classes and functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def helpers_of(tests: list[Path]) -> dict[str, Function]:
    """The functions of these files that are no tests, by name; of two with one name, the one that asserts."""
    found: dict[str, Function] = {}
    for node in [node for path in tests for node in functions(path) if not node.name.startswith("test_")]:
        if node.name not in found or asserts(node, {}):
            found[node.name] = node
    return found


def asserts(node: ast.AST, helpers: dict[str, Function], depth: int = 3) -> bool:
    """Whether a function can fail by what it sees: an `assert`, a `pytest.raises` or `fail`, or a helper that has one."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert) or (isinstance(inner, ast.Raise) and "AssertionError" in ast.unparse(inner)):
            return True
        if isinstance(inner, ast.Call):
            name = _called(inner)
            if name in FAILING:
                return True
            if depth and name in helpers and asserts(helpers[name], helpers, depth - 1):
                return True
    return False


def test_every_test_can_fail() -> None:
    """Each test asserts something, itself or by a helper that it calls."""
    files = list(TESTS.rglob("*.py"))
    helpers = helpers_of(files)
    tests = [(path, node) for path in files for node in functions(path) if node.name.startswith("test_")]
    silent = [f"{path.relative_to(TESTS)}::{node.name}" for path, node in tests if not asserts(node, helpers)]
    assert len(tests) > 500
    assert silent == []


def test_no_test_module_is_imported() -> None:
    """What two of them need stands in a support module."""
    imported = re.compile(r"^(?:from|import) tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
    files = {path.relative_to(TESTS).as_posix(): path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py")}
    assert {name: found for name, text in files.items() if (found := imported.findall(text))} == {}


def test_times_and_limits_come_in_by_constructor() -> None:
    """No test sets a constant of a module, but for those on the list, and what is on the list is still there."""
    found = {
        (path.relative_to(TESTS).as_posix(), name) for path in TESTS.rglob("*.py") for name in patched_constants(path)
    }
    assert {(path, name) for path, name in found if name not in FOREIGN} == PATCHED


def test_the_look_for_patched_constants_sees_them(tmp_path: Path) -> None:
    """By name, by module and by assignment; what is no constant is left alone."""
    code = """
    monkeypatch.setattr("bot.store.LOG_BYTES", 0)
    monkeypatch.setattr(reply, "ROTATE_S", 0.1)
    listen.LOOKED_S = 0
    monkeypatch.setattr(app.jobs, "enqueue", away)
    """
    path = tmp_path / "test_it.py"
    path.write_text("\n".join(line.strip() for line in code.splitlines()), encoding="utf-8")
    assert patched_constants(path) == {"bot.store.LOG_BYTES", "reply.ROTATE_S", "listen.LOOKED_S"}
