"""`emulator`: starts a platform's stand-in on this machine, so that Parley can be tried there without an account."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from bot.cli import emulators


class Emulators(click.Group):
    """One command for each adapter whose folder holds an emulator."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The platforms that have one."""
        return emulators()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Hands all arguments to the emulator's own `main(argv)`, which has a --help of its own."""
        if cmd_name not in emulators():
            return None

        @click.command(
            cmd_name,
            short_help=f"A {cmd_name} of your own on this machine.",
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
        )
        @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
        def start(arguments: tuple[str, ...]) -> Any:
            sys.argv[0] = f"parley emulator {cmd_name}"  # what its --help calls it
            return import_module(f"adapters.{cmd_name}.emulator.__main__").main(list(arguments))

        return start


@click.command(cls=Emulators, short_help="A platform of your own to try Parley on.")
def emulator() -> None:
    """Start a stand-in for a platform on this machine, with a page that shows it; its arguments follow its name.

    \b
    parley emulator slack
    parley emulator discord --help
    """
