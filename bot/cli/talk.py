"""`ask` and `chat`: the console adapter, run from the command line."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from bot.cli import DONE, FAILED, INTERRUPTED, Command, State

if TYPE_CHECKING:
    from adapters.console.screen import Screen
    from bot.app import App
    from bot.config import Config

FILE = click.Path(path_type=Path)
VOICE_EXTENSIONS = (".ogg", ".oga", ".opus")


def _voice_path(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value and value.suffix.lower() not in VOICE_EXTENSIONS:
        raise click.BadParameter(f"speech is written as Ogg Opus; name the file {value.with_suffix('.ogg').name}")
    return value


@click.command(cls=Command, short_help="One question, one answer.")
@click.argument("text", required=False, default="")
@click.option(
    "--attach",
    "-a",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Send this file with the question; may be repeated.",
)
@click.option("--conversation", "-c", default="default", metavar="NAME", help="Which conversation it belongs to.")
@click.option("--speak", type=FILE, metavar="OUT.ogg", callback=_voice_path, help="Write the spoken answer there.")
@click.option("--image-out", type=FILE, metavar="DIR", help="Folder for pictures. Default: `saved` in PARLEY_HOME.")
@click.option("--json", "as_json", is_flag=True, help="Print the turn's events as JSON lines, each with a type.")
@click.pass_obj
def ask(
    state: State,
    text: str,
    attach: tuple[Path, ...],
    conversation: str,
    speak: Path | None,
    image_out: Path | None,
    as_json: bool,
) -> int:
    """Ask TEXT, and print the answer; `-` reads the text from standard input.

    The answer alone goes to standard output. Slash commands work too.

    \b
    parley ask "What did I say?" --attach note.ogg --speak answer.ogg
    git diff | parley ask - --attach README.md
    parley ask "And in French?" --conversation work
    parley ask "/imagine a lighthouse at dusk" --image-out pictures
    parley ask "Hello" --json | jq -r 'select(.type == "done") | .reply.text'
    """
    text = standard_input().read() if text == "-" else text
    if not text.strip() and not attach:
        raise click.UsageError("there is nothing to ask: give a text, - for standard input, or --attach")
    config = state.config(quiet=True)
    outputs = (speak, image_out or saved_folder(config))
    shown = screen(as_json=as_json)
    return until_given_up(lambda: _ask(config, text, attach, conversation, outputs, shown))


async def _ask(
    config: Config,
    text: str,
    attach: tuple[Path, ...],
    conversation: str,
    outputs: tuple[Path | None, Path],
    screen: Screen,
) -> int:
    from adapters.console.chat import answer
    from adapters.console.parse import attachment, open_session, parse
    from adapters.console.save import save
    from bot.types import Audio

    voice, folder = outputs
    files = [attachment(path) for path in attach]
    async with console(config) as app:
        now = app.clock.now()
        inbound = parse(text, open_session(conversation), files, app.host.commands, now=now, speak=voice is not None)
        reply = await answer(app.host, app.accept, inbound, screen)
        blobs = app.host.blobs(inbound.address)
        for path in await save(reply, blobs, folder, inbound.event_id[:8], voice):
            screen.remark(f"Saved {path}")
    has_voice = voice is None or any(isinstance(part, Audio) for part in reply.parts)
    return INTERRUPTED if reply.stopped else DONE if has_voice and not reply.error else FAILED


@click.command(cls=Command, short_help="A conversation in this terminal.")
@click.option("--conversation", "-c", default="default", metavar="NAME", help="Which conversation to go on with.")
@click.option("--image-out", type=FILE, metavar="DIR", help="Folder for pictures and speech. Default: in PARLEY_HOME.")
@click.pass_obj
def chat(state: State, conversation: str, image_out: Path | None) -> int:
    """Talk to Parley here: answers stream, files go along, slash commands work.

    \b
    /attach FILE   sends a file with the next message; Tab completes its path
    /new [NAME]    goes on in another conversation
    /help          lists the commands that every platform has
    /quit, Ctrl-D  leaves; Ctrl-C stops an answer

    Without a terminal it reads a message a line:

    \b
    printf 'Hello!\\n/usage\\n' | parley chat
    """
    config = state.config(quiet=True)
    history = Path(config.parley_home).expanduser() / "history"
    return asyncio.run(_chat(config, conversation, image_out or saved_folder(config), history))


async def _chat(config: Config, conversation: str, folder: Path, history: Path) -> int:
    from adapters.console.chat import WELCOME, Chat, piped_lines, prompted_lines
    from adapters.console.parse import open_session

    session, shown = open_session(conversation), screen()
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    async with console(config) as app:
        talk = Chat(app.host, app.accept, shown, session, folder)
        if is_terminal:
            shown.remark(WELCOME)
        await talk.run(prompted_lines(history, app.host.commands) if is_terminal else piped_lines(standard_input()))
    return FAILED if talk.has_failed and not is_terminal else DONE


def until_given_up(doing: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run it; returns its exit status, or that of Ctrl-C."""
    from adapters.console.chat import GivenUp

    try:
        return asyncio.run(doing())
    except GivenUp:
        return INTERRUPTED


def standard_input() -> TextIO:
    """Standard input as text; bytes that are not text become U+FFFD."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    return sys.stdin


@asynccontextmanager
async def console(config: Config) -> AsyncIterator[App]:
    """Parley with the terminal as its only platform. It does not take over turns that other processes left.

    Whoever is at the terminal runs Parley: nothing is refused because they did much lately.
    """
    from bot.app import App
    from bot.config import limits_of

    limits = limits_of(config).for_operator()
    async with App(config, only={"console"}, name="cli", limits=limits).running(take_over=False) as app:
        yield app


def screen(*, as_json: bool = False) -> Screen:
    """The screen that suits standard output: drawn for a person, plain for a pipe."""
    from adapters.console.screen import DrawnScreen, JsonScreen, Screen

    if as_json:
        return JsonScreen(sys.stdout, sys.stderr)
    return (DrawnScreen if sys.stdout.isatty() else Screen)(sys.stdout, sys.stderr)


def saved_folder(config: Config) -> Path:
    """Where pictures and clips go when no folder is named."""
    return Path(config.parley_home).expanduser() / "saved"
