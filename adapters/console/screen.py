"""What a terminal shows of an answer: drawn Markdown for a person, plain text for a pipe, JSON lines for a program.

Standard output holds the answer and nothing else; what is being done, notices and complaints go to standard error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from markdown_it import MarkdownIt
from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment, Segments
from rich.spinner import Spinner
from rich.text import Text as Words

from adapters.console.plain import plain
from adapters.shared.markdown import open_fence
from bot.types import Done, GrowingText, Reply, ReplyEvent, Status, TextDelta, TextReset

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Characters that control a terminal; a model's text must not contain them."""
FRAMES_PER_S = 12
MAX_DRAWN = 10_000
"""Characters of an incomplete block that are drawn: more than fit a terminal."""
LOOK_AGAIN = 1.25
"""An incomplete block that has grown so much is looked at again: with each line, a long one would be read a thousand times."""
_markdown = MarkdownIt("commonmark").enable("table")


class Screen:
    """Shows the answer as plain text when it is complete. The other screens are kinds of it."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err

    def begin(self) -> None:
        """Begin waiting for an answer."""

    def show(self, event: ReplyEvent) -> None:
        """Show one event of the answer."""
        match event:
            case Status(text):
                self.remark(text)
            case Done(reply):
                self._answer(reply)

    def end(self) -> None:
        """End: the answer is complete, or nobody waits for it any more."""

    def remark(self, text: str) -> None:
        """Show something beside the answer."""
        print(without_control(text), file=self._err, flush=True)

    def complain(self, text: str) -> None:
        """Show what went wrong."""
        self.remark(text)

    def _answer(self, reply: Reply) -> None:
        if text := answer_text(reply):
            print(text, file=self._out, flush=True)
        self._under(reply)

    def _under(self, reply: Reply) -> None:
        for notice in notices(reply):
            self.remark(notice)
        if reply.error and not is_partial(reply):
            self.complain(reply.text)


class StatusScreen(Screen):
    """Shows only what is being done; the caller shows the answer."""

    def _answer(self, reply: Reply) -> None:
        pass


class JsonScreen(Screen):
    """Prints each event as one line of JSON."""

    def show(self, event: ReplyEvent) -> None:
        """Print the event."""
        print(json.dumps(plain(event), ensure_ascii=False), file=self._out, flush=True)


class DrawnScreen(Screen):
    """Draws Markdown while it streams. A complete block is printed for good and only the last one is drawn again, so that an
    answer longer than the terminal scrolls as any other text does."""

    def __init__(self, out: TextIO, err: TextIO, terminal: Terminal | None = None) -> None:
        super().__init__(out, err)
        self._terminal = terminal or Terminal(file=out)
        self._live: Live | None = None
        self._quiet_keys = ExitStack()
        self._spinner = Spinner("dots", style="dim")
        self._forget()

    def _forget(self) -> None:
        self._printed, self._rest = GrowingText(), GrowingText()
        self._next_look = 0
        """Characters of the rest at which to look again whether its beginning is complete."""
        self._work("")

    def _work(self, text: str) -> None:
        """Note what is being done; empty while the answer itself is being written."""
        self._status = text
        self._spinner.update(text=Words(text or "Thinking…", style="dim"))

    def begin(self) -> None:
        """Show that an answer is awaited."""
        self._forget()
        self._quiet_keys.enter_context(without_echo())
        self._live = Live(
            console=self._terminal, get_renderable=self._tail, refresh_per_second=FRAMES_PER_S, transient=True
        )
        self._live.start(refresh=True)

    def show(self, event: ReplyEvent) -> None:
        """Draw the event."""
        match event:
            case Status(text):
                self._work(without_control(text))
            case TextDelta(text):
                self._rest.add(without_control(text))
                self._work("")
                if "\n" in text and len(self._rest) >= self._next_look:
                    self._settle(stable_end(self._rest.text))
                    self._next_look = int(len(self._rest) * LOOK_AGAIN)
            case TextReset():
                self._start_over()
            case Done(reply):
                self._finish(reply)

    def end(self) -> None:
        """Remove everything but what was printed for good."""
        if self._live:
            self._live.stop()
            self._live = None
        self._quiet_keys.close()

    def remark(self, text: str) -> None:
        """Show something beside the answer."""
        self._terminal.print(Words(without_control(text), style="dim"), soft_wrap=True)

    def complain(self, text: str) -> None:
        """Show what went wrong."""
        self._terminal.print(Words(without_control(text), style="red"), soft_wrap=True)

    def _settle(self, end: int) -> None:
        is_first, text = not self._printed, self._rest.text
        self._printed.add(text[:end])
        self._rest = GrowingText(text[end:])
        if block := text[:end].strip("\n"):
            self._terminal.print(self._joined(self._lines(block), space=not is_first), end="")

    def _start_over(self) -> None:
        if self._printed:
            self._terminal.rule("once more", style="dim")
        self._printed, self._rest, self._next_look = GrowingText(), GrowingText(), 0

    def _finish(self, reply: Reply) -> None:
        text = without_control(answer_text(reply))
        if text and not text.startswith(self._printed.text):
            self._start_over()
        self._rest = GrowingText(text[len(self._printed) :])
        self.end()
        self._settle(len(self._rest))
        self._under(reply)

    def _tail(self) -> RenderableType:
        """Return the incomplete block, as much of its end as fits the terminal, and what is being done."""
        rest = self._rest.text
        if not rest.strip():
            return self._spinner
        lines = self._lines(end_of(rest))[-max(self._terminal.height - 3, 1) :]
        shown = self._joined(lines, space=bool(self._printed))
        return Group(shown, self._spinner) if self._status else shown

    def _lines(self, text: str) -> list[list[Segment]]:
        """Draw the text without the empty lines that some kinds of blocks have at their edges."""
        lines = self._terminal.render_lines(to_renderable(text), pad=False)
        filled = [number for number, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        return lines[filled[0] : filled[-1] + 1] if filled else []

    def _joined(self, lines: list[list[Segment]], *, space: bool) -> Segments:
        """Return one block, after an empty line if `space`."""
        before = [Segment.line()] if space else []
        return Segments(before + [segment for line in lines for segment in (*line, Segment.line())])


@contextmanager
def without_echo() -> Iterator[None]:
    """Keep the terminal from echoing what is typed, Ctrl-C included, into what is drawn; it waits for the next prompt."""
    if (keys := _terminal_keys()) is None:
        yield
        return
    termios, before = keys
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _terminal_keys() -> tuple[Any, list[Any]] | None:
    """Return the module that changes how standard input echoes, and its state now; None when it is not such a terminal."""
    if not sys.stdin.isatty():
        return None
    try:
        import termios
    except ImportError:  # Windows
        return None
    return termios, termios.tcgetattr(sys.stdin)


def to_renderable(text: str) -> RenderableType:
    """Return Markdown drawn for a terminal, with the addresses of links beside their words."""
    return Markdown(text, hyperlinks=False, code_theme="ansi_dark")


def stable_end(text: str, start: int = 0) -> int:
    """Return up to where the Markdown from `start` on can no longer change: the beginning of its last block."""
    rest = text[start:]
    begins = [token.map[0] for token in _markdown.parse(rest) if token.level == 0 and token.map and token.nesting >= 0]
    if len(begins) < 2:
        return start
    return start + sum(len(line) for line in rest.splitlines(keepends=True)[: begins[-1]])


def end_of(text: str) -> str:
    """Return the end of a text that is too long to be drawn again and again: from a line's beginning, and in code as code."""
    if len(text) <= MAX_DRAWN:
        return text
    at = text.find("\n", len(text) - MAX_DRAWN) + 1 or len(text) - MAX_DRAWN
    fence = open_fence(text[:at])
    return f"{fence}\n{text[at:]}" if fence else text[at:]


def without_control(text: str) -> str:
    """Return the text without control characters."""
    return CONTROL.sub("", text)


def answer_text(reply: Reply) -> str:
    """Return the text of the answer: empty for an error, unless part of the answer came before it."""
    return "" if reply.error and not is_partial(reply) else reply.text


def is_partial(reply: Reply) -> bool:
    """Return whether a reply with an error holds part of the answer; then the error stands in its notices."""
    return bool(reply.error and reply.notices and reply.text)


def notices(reply: Reply) -> list[str]:
    """Return what stands under the answer."""
    found = list(reply.notices)
    if reply.stopped:
        found.append("Stopped.")
    if reply.truncated:
        found.append("The model reached its length limit; ask it to go on for more.")
    return found
