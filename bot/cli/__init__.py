"""The command line: every command by its name, and the one place where a failure becomes a line of text and an exit status.

Nothing heavy is imported before a command runs, so that `--help` and completion answer at once.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import adapters

if TYPE_CHECKING:
    from bot.config import Config
    from bot.types import CommandSpec

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130
"""Exit status: done · the task failed · wrong usage or configuration · stopped by Ctrl-C."""
COMMANDS = {
    "all": "run:everything",
    "web": "run:web",
    "gateway": "run:gateway",
    "worker": "run:worker",
    "migrate": "run:migrate",
    "chat": "talk:chat",
    "ask": "talk:ask",
    "transcribe": "transcribe:transcribe",
    "models": "models:models",
    "doctor": "doctor:doctor",
    "config": "reference:config",
    "secret-key": "reference:secret_key",
    "completion": "reference:completion",
    "emulator": "emulator:emulator",
}
"""The file of this folder that holds each command, and its name there; in the order of the help."""


class State:
    """What all commands share; `click.pass_obj` passes it to them, including those of adapters' folders. A `CommandLine`."""

    debug = False

    @property
    def commands(self) -> Mapping[str, CommandSpec]:
        """Every slash command by its name, as `Host.commands` has them."""
        from bot.engine.commands import SPECS

        return SPECS

    def config(self, *, quiet: bool = False) -> Config:
        """The configuration, checked; logging is set up by it. Raises ConfigError.

        quiet: the log stays silent unless --debug was given, for commands that tell a person what went wrong themselves.
        """
        from bot import config as configuration
        from bot.redaction import Secrets
        from bot.telemetry import configure_logging

        config = configuration.load()
        Secrets().learn(*configuration.secrets_of(config))  # for as long as the process lives
        configure_logging("DEBUG" if self.debug else config.log_level, config.log_format)
        if quiet and not self.debug:
            for handler in logging.getLogger().handlers:
                handler.setLevel(logging.CRITICAL + 1)
        return config


class Parley(click.Group):
    """Loads commands when they are needed: ours by their file, an adapter's by its folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Ours, then the platforms that have commands of their own."""
        return [*COMMANDS, *(name for name in adapters.names() if name not in COMMANDS and _own_commands(name))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, or None."""
        if cmd_name in COMMANDS:
            module, _, function = COMMANDS[cmd_name].partition(":")
            found: click.Command = getattr(import_module(f"bot.cli.{module}"), function)
            return found
        if cmd_name in adapters.names() and (own := _own_commands(cmd_name)):
            if len(own) == 1 and own[0].name == cmd_name:
                return own[0]
            return click.Group(
                cmd_name, {str(one.name): one for one in own}, help=f"Commands of the {cmd_name} adapter."
            )
        return None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command and exit with its status; a failure is one line on standard error."""
        state = State()
        try:
            status = super().main(args, prog_name or "parley", complete_var, standalone_mode=False, obj=state, **extra)
        except BaseException as error:  # the edge of the process
            if state.debug and isinstance(error, Exception) and not isinstance(error, click.ClickException):
                click.echo(_shown("".join(traceback.format_exception(error))), err=True)
            status = _told(error)
        sys.exit(status if isinstance(status, int) else DONE)


def _own_commands(name: str) -> Sequence[click.Command]:
    """What the adapter's folder adds by its PLUGIN's `commands`: a group of its name, or the commands for one."""
    return adapters.load(name).commands()


def _told(error: BaseException) -> int:
    """Print what went wrong in one line; returns the exit status."""
    from bot.errors import BotError, ConfigError, UsageError

    match error:
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case BrokenPipeError():  # `parley … | head`: the reader has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return WRONG
        case click.UsageError():
            at = error.ctx.command_path if error.ctx else "parley"
            return _complain(f"{error.format_message()} ({at} --help shows how)", WRONG)
        case click.ClickException():
            return _complain(error.format_message(), WRONG)
        case ConfigError() | UsageError():
            return _complain(error.text, WRONG)
        case BotError():
            return _complain(error.text, FAILED)
        case OSError(filename=str(path)):
            return _complain(f"{path}: {(error.strerror or 'failed').lower()}", FAILED)
        case SystemExit() | GeneratorExit():
            raise error
    return _complain(f"something went wrong: {type(error).__name__}: {error} (--debug shows where)", FAILED)


def _complain(text: str, status: int) -> int:
    for line in _shown(text).split("\n"):
        click.echo(f"parley: {line}", err=True)
    return status


def _shown(text: str) -> str:
    """The text as a terminal may show it: without secrets, and without commands to the terminal."""
    from bot.redaction import redact
    from bot.visible import visible_lines

    return visible_lines(redact(text.strip("\n")))


class Command(click.Command):
    """A command that accepts --debug after its name too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params.append(_debug_option())


def _debug_option() -> click.Option:
    def switch_on(ctx: click.Context, param: click.Parameter, value: bool) -> None:
        if value:
            ctx.ensure_object(State).debug = True

    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=switch_on,
        help="Log everything, and show the traceback of a failure.",
    )


def emulators() -> list[str]:
    """The platforms whose folder holds an emulator that can be started."""
    return sorted(path.parts[-3] for path in Path(adapters.__path__[0]).glob("*/emulator/__main__.py"))


def version() -> str:
    """The version in pyproject.toml."""
    import tomllib

    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if pyproject.is_file():
        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])
    from importlib.metadata import version as installed

    return installed("parley-bot")


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"parley {version()}")
        ctx.exit()


cli = Parley(
    "parley",
    help="""Parley: a self-hosted AI teammate that reads, listens, looks, draws and speaks.

    \b
    parley all                             everything in one process, with a page to talk to
    parley chat                            a conversation in this terminal
    parley ask "What is in this?" --attach photo.jpg
    """,
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage or configuration, 130 stopped by Ctrl-C.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_show_version,
            help="Show the version and exit.",
        ),
        _debug_option(),
    ],
)


def main() -> NoReturn:
    """The entry point of `parley`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal with a limited encoding shows ? for other characters
    sys.exit(cli.main())
