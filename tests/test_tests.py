"""What holds for the tests themselves."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PATCHED = {
    ("acceptance/test_discord_hearing.py", "slash.EVERYWHERE"),
    ("acceptance/test_discord_interactions.py", "slash.LOCAL_NAMES"),
    ("acceptance/test_discord_interactions.py", "slash.MENUS"),
    ("acceptance/test_slack_turns.py", "emulated_files.SHARE_DELAY_S"),
    ("acceptance/test_slack_turns.py", "reply_module.MAX_RESPONSES"),
    ("acceptance/test_slack_turns.py", "reply_module.ROTATE_NOW_S"),
    ("acceptance/test_slack_turns.py", "reply_module.ROTATE_S"),
    ("acceptance/test_slack_turns.py", "reply_module.SHARE_S"),
    ("acceptance/test_slack_turns.py", "reply_module.STREAM_PACE_S"),
    ("engine/test_perceive.py", "apart.DOCUMENTS"),
    ("unit/test_store.py", "bot.store.LOG_BYTES"),
    ("unit/test_store.py", "bot.store.sqlite_driver.BUSY_TIMEOUT_MS"),
}
"""Constants of our modules that tests still set. Times and limits come in by constructor: this list only gets shorter."""
FOREIGN = {"discord.http.Route.BASE", "discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY"}
"""Constants of libraries that offer no other way."""
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
    name = second.value if isinstance(second, ast.Constant) else ast.unparse(second)
    return f"{ast.unparse(first)}.{name}"


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
