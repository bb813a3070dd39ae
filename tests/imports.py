"""The table of imports: what each part of the sources may import of ours, and what it does import."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = {"bot.redaction", "bot.visible"}
VALUES = {"bot.types", "bot.ports", "bot.errors", "bot.media", "bot.policy"} | TEXT | {"bot.processes"}
WORK = {"bot.store", "bot.jobs", "bot.telemetry"}
ALLOWED: dict[str, set[str]] = {
    "bot/types": set(),
    "bot/processes.py": set(),
    "bot/redaction.py": set(),
    "bot/visible.py": set(),
    "bot/errors.py": TEXT,
    "bot/telemetry.py": TEXT,
    "bot/policy": {"bot.types", "bot.errors"},
    "bot/ports": {"bot.types", "bot.errors"},
    "bot/media": {"bot.types", "bot.errors", "bot.policy", "bot.processes"},
    "bot/store": VALUES,
    "bot/jobs": VALUES,
    "bot/engine": VALUES | WORK,
    "bot/inbox": VALUES | WORK,
    "bot/web": VALUES | WORK | {"bot.policy"},
    "bot/providers/__init__.py": VALUES,
    "bot/clock.py": set(),
    "bot/loop_watch.py": {"bot.telemetry"},
    "bot/database.py": {"bot.errors", "bot.config", "bot.store"},
    "bot/host.py": VALUES | WORK | {"bot.engine"},
    "bot/models_chosen.py": VALUES | {"bot.config", "bot.engine", "bot.providers"},
    "bot/readiness.py": VALUES | WORK | {"bot.config", "bot.engine", "bot.exposure", "bot.models_chosen", "adapters"},
    "bot/exposure.py": VALUES | WORK | {"bot.config"},
    "bot/background.py": VALUES | WORK | {"bot.models_chosen"},
    "bot/config.py": {"bot.types", "bot.errors", "bot.policy", "bot.ports", "bot.providers", "adapters"},
}
"""What each part may import of ours, besides itself. Adapters and providers: see `allowed_for`."""
ROOTS = ("bot/app.py", "bot/__main__.py", "bot/cli")
"""These know everything."""
EMULATOR = re.compile(r"^adapters/\w+/emulator/")


def sources() -> Iterator[tuple[str, ast.Module]]:
    """Every source file of ours by its path from the root."""
    for folder in ("bot", "adapters"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.Module) -> set[str]:
    """The modules of ours that a source imports, function bodies included."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= (
                {node.module}
                if node.module not in ("bot", "adapters")
                else {f"{node.module}.{a.name}" for a in node.names}
            )
    return {name for name in found if name.partition(".")[0] in ("bot", "adapters")}


def allowed_for(path: str) -> set[str] | None:
    """What this source may import besides itself; None when it may import everything."""
    if path.startswith(ROOTS) or path in ("bot/__init__.py",):
        return None
    if EMULATOR.match(path):
        return {path.split("/emulator/")[0].replace("/", ".") + ".emulator"}
    parts = path.split("/")
    if parts[0] == "adapters":
        return VALUES | {"bot.policy", "adapters.shared", f"adapters.{parts[1]}"}
    if path.startswith("bot/providers/") and len(parts) > 3:
        return VALUES | {".".join(parts[:3])}
    key = next(key for key in sorted(ALLOWED, key=len, reverse=True) if path == key or path.startswith(f"{key}/"))
    return ALLOWED[key] | {key.removesuffix(".py").replace("/", ".")}
