"""Tables on a terminal: as wide as it is, and wide enough for a log where there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from bot.types import Diagnostic

MARKS = {"ok": "[green]on[/]", "off": "[dim]off[/]", "warning": "[yellow]on, but[/]", "error": "[red]broken[/]"}
LOG_WIDTH = 160


def wide_terminal() -> Console:
    """Standard output."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else LOG_WIDTH, highlight=False)


def diagnostics_table(diagnostics: Sequence[Diagnostic]) -> Table:
    """What is on and what is off, for a terminal."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title in ("part", "state", "what", "setting"):
        table.add_column(title, overflow="fold")
    for one in diagnostics:
        table.add_row(escape(one.subject), MARKS[one.level], escape(one.text), escape(one.setting))
    return table
