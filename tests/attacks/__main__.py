"""python -m tests.attacks [--fast] [NAME ...]: try the weapons on a Parley of their own; fails when one gets through."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.attacks import files, machine, people, places, spending, web
from tests.attacks.field import battlefield
from tests.attacks.table import got_through, in_order, try_all

MODULES = (web, machine, people, places, spending, files)
"""Importing them registers their weapons."""


def say(text: str) -> None:
    """Tell the person at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def attack(names: list[str], *, fast: bool, keep: Path | None = None) -> list[str]:
    """Try them; gives the names of those that got through."""
    chosen = [one for one in in_order() if (one.is_fast or not fast) and (not names or one.name in names)]
    with tempfile.TemporaryDirectory() as folder:
        async with battlefield(Path(folder)) as field:
            outcomes = await try_all(field, chosen, say)
            log = field.parley.said()
    if keep:
        _keep(keep, log)
    through = got_through(outcomes)
    say(f"\n{len(outcomes)} tried, {sum(not one.detail for one in outcomes)} held.")
    return through


def _keep(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these weapons")
    parser.add_argument("--fast", action="store_true", help="only those that take a moment")
    parser.add_argument("--log", type=Path, help="where to keep what Parley logged")
    given = parser.parse_args()
    through = asyncio.run(attack(given.names, fast=given.fast, keep=given.log))
    if through:
        say(f"Not as expected: {', '.join(through)}")
    return 1 if through else 0


if __name__ == "__main__":
    sys.exit(main())
