"""`transcribe`: recordings to text and subtitles, through the whole engine, one turn for each file."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli import DONE, FAILED, WRONG, Command, State, transcripts
from bot.cli.talk import FILE, console, until_given_up
from bot.types import Address, Attachment, Audio, InboundMessage, Reply, TimelineEntry

if TYPE_CHECKING:
    from adapters.console.screen import Screen
    from bot.app import App
    from bot.config import Config
    from bot.errors import BotError

SETTLE_S = 0.02


@click.command(cls=Command, short_help="Recordings to text or subtitles.")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option("--format", "shape", type=click.Choice(["text", "srt", "vtt", "json"]), default="text", show_default=True)
@click.option("--out", "-o", type=FILE, metavar="DIR", help="Write a file for each recording there, not to the screen.")
@click.pass_obj
def transcribe(state: State, files: tuple[Path, ...], shape: str, out: Path | None) -> int:
    """Write down what is said in voice notes, recordings and videos.

    With several files, one that cannot be read does not stop the others; the exit status is then 1, or 2 when no file
    exists. Nothing of them is kept.

    \b
    parley transcribe note.ogg
    parley transcribe talk.mp4 --format srt > talk.srt
    parley transcribe *.m4a --format vtt --out subtitles
    """
    config = state.config(quiet=True)
    there = _found(files)
    if not there:
        return WRONG
    status = until_given_up(lambda: _transcribe(config, there, shape, out, title=len(files) > 1))
    return status or (FAILED if len(there) < len(files) else DONE)


def _found(files: Sequence[Path]) -> dict[Path, Attachment]:
    """Those that exist, checked before anything is started; each of the others is one line on standard error."""
    from adapters.console.parse import attachment
    from bot.errors import UsageError

    there: dict[Path, Attachment] = {}
    for path in files:
        try:
            there[path] = attachment(path)
        except UsageError as error:
            _complain(path, error)
    return there


def _complain(path: Path, error: BotError) -> None:
    click.echo(f"parley: {error.text if path.name in error.text else f'{path.name}: {error.text}'}", err=True)


async def _transcribe(
    config: Config, files: Mapping[Path, Attachment], shape: str, out: Path | None, *, title: bool
) -> int:
    from adapters.console.screen import StatusScreen
    from bot.errors import BotError

    status, shown = DONE, StatusScreen(sys.stdout, sys.stderr)
    async with console(config) as app:
        for path, attachment in files.items():
            try:
                text = transcripts.written(await _hear(app, attachment, shown), path.name, shape)
                await asyncio.to_thread(_hand_out, text, path, shape, out, title=title)
            except BotError as error:
                _complain(path, error)
                status = FAILED
    return status


def _hand_out(text: str, path: Path, shape: str, out: Path | None, *, title: bool) -> None:
    """To a file in the folder `out`, or to standard output, under its name where there are several."""
    from bot.errors import UsageError

    if out is None:
        heading = f"{path.name}:\n" if title and shape == "text" else ""
        click.echo(heading + text, nl=bool(heading + text) and not text.endswith("\n"))
        return
    target = out / f"{path.name}.{'txt' if shape == 'text' else shape}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        target.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {(error.strerror or 'unknown reason').lower()}.") from error
    click.echo(f"Wrote {target}", err=True)


async def _hear(app: App, attachment: Attachment, shown: Screen) -> Audio:
    """What one turn hears in the file; its conversation is deleted afterwards. Raises BotError."""
    from adapters.console.chat import answer
    from adapters.console.parse import open_session, parse

    session, commands = open_session(f"transcribe {uuid.uuid4().hex}"), app.host.commands
    inbound = parse("", session, [attachment], commands, now=app.clock.now())
    assert isinstance(inbound, InboundMessage)
    try:
        reply = await answer(app.host, app.accept, replace(inbound, intent="transcribe"), shown)
        heard = _heard(reply, await _when_settled(app, session.address))
        for notice in reply.notices:
            shown.remark(notice)
        return heard
    finally:
        forget = parse("/forget", session, [], commands, now=app.clock.now())
        await answer(app.host, app.accept, forget, shown)


async def _when_settled(app: App, address: Address) -> Sequence[TimelineEntry]:
    """The conversation once its turn is written down, which is a moment after its answer was shown."""
    while True:
        entries = await app.host.timeline.entries(address)
        if not any(one.is_running for one in entries):
            return entries
        await app.clock.sleep(SETTLE_S)


def _heard(reply: Reply, entries: Sequence[TimelineEntry]) -> Audio:
    from adapters.console.chat import GivenUp
    from bot.errors import BotError, UsageError

    if reply.stopped:
        raise GivenUp
    if reply.error and reply.error != UsageError.code:
        raise BotError(reply.text)
    for part in (part for entry in entries if entry.role == "user" for part in entry.parts):
        if isinstance(part, Audio):
            return part
    raise BotError(" ".join(reply.notices) or "there is neither sound nor video in it.")
