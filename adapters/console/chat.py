"""The conversation at the prompt: lines in, answers out, files attached, answers stopped, until the person leaves."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from adapters.console.listen import converse, stop
from adapters.console.parse import OWN_COMMANDS, OwnCommand, Session, attachment, open_session, parse, parse_own
from adapters.console.save import save
from adapters.console.screen import Screen
from bot.errors import BotError, UsageError
from bot.ports import Accept, Host
from bot.types import Attachment, Command, InboundMessage, Reply

if TYPE_CHECKING:
    from prompt_toolkit.completion import CompleteEvent, Completion
    from prompt_toolkit.document import Document

WELCOME = (
    "Write to Parley. /help lists commands, /attach FILE sends a file, Ctrl-C stops an answer, /quit or Ctrl-D leaves."
)
PROMPT = "> "


class GivenUp(Exception):
    """The person stopped waiting for an answer; the turn goes on without a terminal."""


class Chat:
    """One person at one terminal."""

    def __init__(self, host: Host, accept: Accept, screen: Screen, session: Session, folder: Path) -> None:
        """folder: where pictures and voice clips are saved."""
        self._host = host
        self._accept = accept
        self._screen = screen
        self._session = session
        self._folder = folder
        self._waiting: list[Attachment] = []
        self.has_failed = False
        """Whether any line so far could not be answered."""

    async def run(self, lines: AsyncIterator[str]) -> None:
        """Answer line by line until they end or one says /quit."""
        async for line in lines:
            own = parse_own(line)
            if own and own.name == "quit":
                return
            try:
                await self._do(own) if own else await self._say(line)
            except GivenUp:
                self._screen.remark("No longer waiting for that answer.")
            except BotError as error:
                self.has_failed = True
                self._screen.complain(error.text)

    async def _do(self, own: OwnCommand) -> None:
        if own.name == "attach":
            self._attach(own.text)
        else:
            name = own.text or f"{self._host.clock.now().astimezone():%Y-%m-%d %H:%M:%S}"
            self._session = replace(self._session, address=open_session(name).address)
            self._screen.remark(f"Conversation “{name}”.")

    def _attach(self, text: str) -> None:
        paths = attached_paths(text)
        if not paths:
            raise UsageError("Write it like this: /attach FILE")
        self._waiting += [attachment(path) for path in paths]
        names = ", ".join(one.name for one in self._waiting)
        self._screen.remark(f"Goes with your next message: {names}")

    async def _say(self, line: str) -> None:
        if not line.strip() and not self._waiting:
            return
        inbound = parse(line, self._session, self._waiting, self._host.commands, now=self._host.clock.now())
        self._waiting = []
        reply = await answer(self._host, self._accept, inbound, self._screen)
        self.has_failed |= bool(reply.error)
        blobs = self._host.blobs(inbound.address)
        for path in await save(reply, blobs, self._folder, inbound.event_id[:8]):
            self._screen.remark(f"Saved {path}")


async def answer(host: Host, accept: Accept, inbound: InboundMessage | Command, screen: Screen) -> Reply:
    """Show one answer as it comes. Ctrl-C stops the answer; a second Ctrl-C stops waiting for it and raises GivenUp."""
    screen.begin()
    try:
        with interruptible(lambda: stop(accept, inbound)):
            return await converse(host, accept, inbound, screen.show)
    except asyncio.CancelledError as error:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()  # what is closed on the way out may wait
        raise GivenUp from error
    finally:
        screen.end()


@contextmanager
def interruptible(ask_to_stop: Callable[[], Any]) -> Iterator[None]:
    """On the first Ctrl-C, call the function and run what it returns; on the second, cancel the body."""
    loop, current, asked = asyncio.get_running_loop(), asyncio.current_task(), list[asyncio.Future[Any]]()

    def interrupted() -> None:
        if not asked:
            asked.append(asyncio.ensure_future(ask_to_stop()))
        elif current:
            current.cancel()

    before = signal.getsignal(signal.SIGINT)
    with suppress(NotImplementedError, ValueError):  # Windows, and threads other than the main one
        loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        with suppress(NotImplementedError, ValueError):
            loop.remove_signal_handler(signal.SIGINT)
            signal.signal(signal.SIGINT, before)


def attached_paths(text: str) -> list[Path]:
    """Return the files that the text names: one whose name holds spaces, or several, quoted where needed. Raises UsageError."""
    whole = Path(text).expanduser()
    if text and whole.is_file():
        return [whole]
    try:
        return [Path(word).expanduser() for word in shlex.split(text)]
    except ValueError as error:
        raise UsageError("A quotation mark is missing in the name of the file.") from error


async def piped_lines(source: TextIO) -> AsyncIterator[str]:
    """Yield the lines of a standard input that is not a terminal."""
    while line := await asyncio.to_thread(source.readline):
        yield line.rstrip("\n")


async def prompted_lines(history: Path, commands: Iterable[str]) -> AsyncIterator[str]:
    """Yield what a person writes at the prompt, with history and completion; Alt-Enter or pasting makes several lines."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("escape", "enter")
    def _new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    await asyncio.to_thread(_make_private, history)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)), completer=completer(commands), complete_while_typing=False, key_bindings=keys
    )
    while True:
        try:
            yield await session.prompt_async(PROMPT)
        except KeyboardInterrupt:
            continue  # the line is dropped, as shells do
        except EOFError:
            return


def _make_private(history: Path) -> None:
    """Create the history file, readable by its owner alone."""
    history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    history.touch(mode=0o600)


def completer(commands: Iterable[str]) -> Any:
    """Return a completer of slash commands, and of paths after /attach."""
    from prompt_toolkit.completion import Completer, Completion, PathCompleter
    from prompt_toolkit.document import Document

    names = sorted({*commands, *OWN_COMMANDS})
    paths = PathCompleter(expanduser=True)

    class SlashCompleter(Completer):
        def get_completions(self, document: Document, event: CompleteEvent) -> Iterator[Completion]:
            """Yield what may stand at the cursor."""
            before = document.text_before_cursor
            if before.startswith("/attach "):
                rest = before.removeprefix("/attach ")
                yield from paths.get_completions(Document(rest, len(rest)), event)
            elif before.startswith("/") and " " not in before:
                yield from (Completion(f"/{name}", -len(before)) for name in names if name.startswith(before[1:]))

    return SlashCompleter()
