"""`models pull` and `models list`: the weights of models that run on this machine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from bot.cli import Command, State
from bot.cli.tables import wide_terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from bot.config import Config
    from bot.ports.weights import PullProgress, WeightsLibrary


@click.group(short_help="Weights of the models on this machine.")
def models() -> None:
    """Fetch and list the weights of models that run on this machine, without a key.

    \b
    parley models list
    parley models pull
    parley models pull whisper-tiny.en
    """


def _libraries(config: Config) -> Iterator[WeightsLibrary]:
    """The library of every provider that keeps weights."""
    from bot import providers

    for plugin in providers.plugins().values():
        if plugin.weights is not None:
            yield plugin.weights(config)


@models.command("list", cls=Command, short_help="What there is, and what is here.")
@click.pass_obj
def list_models(state: State) -> None:
    """List the models that Parley knows for this machine, and which of them are here."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table("model", "for", "size", "here", "licence", "what it is", box=box.SIMPLE_HEAD, show_edge=False)
    for library in _libraries(state.config(quiet=True)):
        for item in library.items():
            weights = item.weights
            here = "yes" if item.is_there else "no: models pull" if item.is_wanted else "no"
            size = f"{weights.size_bytes / 1e6:,.0f} MB"
            table.add_row(weights.name, weights.purpose, size, here, weights.licence, escape(weights.title))
    wide_terminal().print(table)


@models.command("pull", cls=Command, short_help="Fetch what is missing.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_obj
def pull_models(state: State, names: tuple[str, ...]) -> None:
    """Fetch the models that are missing, or those of these NAMEs. Downloads are resumed; each file is checked by its hash."""
    had: list[str] = []
    libraries = list(_libraries(state.config(quiet=True)))
    _check_names(names, libraries)
    for library in libraries:
        with _progress() as tell:
            had += [weights.name for weights in library.pull(tell, names or None)]
    click.echo(f"Here now: {', '.join(had)}." if had else "Nothing is missing.")


def _check_names(names: Sequence[str], libraries: Sequence[WeightsLibrary]) -> None:
    known = [item.weights.name for library in libraries for item in library.items()]
    for name in names:
        if name not in known:
            raise click.UsageError(f"there are no weights named {name!r}; there are {', '.join(known)}")


@contextmanager
def _progress() -> Iterator[Callable[[PullProgress], None]]:
    """Bars in a terminal, a line at every tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _Lines().tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bars:
        yield _Bars(bars).tell


class _Bars:
    """A bar for each file."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def tell(self, progress: PullProgress) -> None:
        """Move the file's bar, and print the note."""
        if progress.note:
            self._bars.console.print(progress.note, markup=False, highlight=False)
        if not progress.total_bytes:
            return
        name = f"{progress.model}/{progress.file}"
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=progress.total_bytes)
        self._bars.update(self._tasks[name], completed=progress.done_bytes)


class _Lines:
    """A line for each tenth of a file."""

    def __init__(self) -> None:
        self._said: dict[str, int] = {}

    def tell(self, progress: PullProgress) -> None:
        """Print it, unless this tenth was printed already."""
        if progress.note:
            click.echo(progress.note, err=True)
        if not progress.total_bytes:
            return
        name, tenth = f"{progress.model}/{progress.file}", progress.done_bytes * 10 // progress.total_bytes
        if tenth > self._said.get(name, -1):
            self._said[name] = tenth
            click.echo(f"{name}: {tenth * 10} % of {progress.total_bytes / 1e6:,.1f} MB", err=True)
