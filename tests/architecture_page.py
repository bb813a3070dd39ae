"""Writes the module list of docs/architecture.md from the modules' own first sentences: `python -m tests.architecture_page`."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
MARK = "<!-- The rest is made from the code by `python -m tests.architecture_page`; a test compares it. -->\n"


def page() -> str:
    """The page as it should be: what is written by hand, then a table for each folder."""
    by_hand = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    return by_hand + MARK + "".join(_table(folder, paths) for folder, paths in sorted(_folders().items()))


def _folders() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for top in ("bot", "adapters"):
        for path in sorted((ROOT / top).rglob("*.py")):
            folder = path.parent.relative_to(ROOT).as_posix()
            if "/emulator" not in folder or path.name == "__init__.py":
                found.setdefault(folder, []).append(path)
    return found


def _table(folder: str, paths: list[Path]) -> str:
    rows = [f"| `{path.name}` | {_first_sentence(path)} |" for path in paths]
    return "\n".join(["", f"### {folder}", "", "| module | owns |", "|---|---|", *rows, ""])


def _first_sentence(path: Path) -> str:
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].split())
    found = re.match(r"(.+?\.)(?:\s|$)", text)
    return (found[1] if found else text).rstrip(".").replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
