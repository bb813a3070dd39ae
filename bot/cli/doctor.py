"""`doctor`: checks an installation, and says what to change."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING

import click

from bot.cli import DONE, FAILED, Command, State
from bot.cli.tables import diagnostics_table, wide_terminal

if TYPE_CHECKING:
    from bot.config import Config
    from bot.types import Diagnostic


@click.command(cls=Command, short_help="Check this installation.")
@click.option("--json", "as_json", is_flag=True, help="Print the diagnostics as a JSON list.")
@click.pass_obj
def doctor(state: State, as_json: bool) -> int:
    """Check the configuration, the database, each model and each platform, and say what to change.

    It contacts the services that are set up, and changes nothing. The exit status is 1 when something is broken.

    \b
    parley doctor
    parley doctor --json | jq '.[] | select(.level == "error")'
    """
    diagnostics = asyncio.run(_diagnostics(state.config(quiet=True)))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in diagnostics], ensure_ascii=False, indent=2))
    else:
        _print(diagnostics)
    return FAILED if any(one.level == "error" for one in diagnostics) else DONE


async def _diagnostics(config: Config) -> list[Diagnostic]:
    from bot.app import App

    async with App(config, name="doctor").running(work=False, take_over=False) as app:
        return await app.readiness.checked()


def _print(diagnostics: list[Diagnostic]) -> None:
    wide_terminal().print(diagnostics_table(diagnostics))
    wrong = sum(one.level == "error" for one in diagnostics)
    doubtful = sum(one.level == "warning" for one in diagnostics)
    click.echo(f"{wrong} broken, {doubtful} to look at." if wrong or doubtful else "Everything that is on works.")
