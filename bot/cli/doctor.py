"""`doctor`: looks at an installation as we would, and says what to change."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import TYPE_CHECKING

import click

from bot.cli import DONE, FAILED, Command, State
from bot.cli.tables import findings_table, wide_terminal

if TYPE_CHECKING:
    from bot.config import Config
    from bot.types import Diagnostic


@click.command(cls=Command, short_help="Check this installation.")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON list.")
@click.pass_obj
def doctor(state: State, as_json: bool) -> int:
    """Check the configuration, the database, each model and each platform, and say what to change.

    It asks the services that are set up, and changes nothing. The exit status is 1 when something is broken.

    \b
    parley doctor
    parley doctor --json | jq '.[] | select(.level == "error")'
    """
    findings = asyncio.run(_findings(state.config(quiet=True)))
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(one) for one in findings], ensure_ascii=False, indent=2))
    else:
        _print(findings)
    return FAILED if any(one.level == "error" for one in findings) else DONE


async def _findings(config: Config) -> list[Diagnostic]:
    from bot.app import App

    async with App(config, name="doctor").running(work=False, take_over=False) as app:
        return await app.readiness.checked()


def _print(findings: list[Diagnostic]) -> None:
    wide_terminal().print(findings_table(findings))
    wrong = sum(one.level == "error" for one in findings)
    doubtful = sum(one.level == "warning" for one in findings)
    click.echo(f"{wrong} broken, {doubtful} to look at." if wrong or doubtful else "All that is on is well.")
