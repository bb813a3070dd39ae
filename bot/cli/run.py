"""The commands that run until they are stopped: `all`, and its parts `web`, `gateway` and `worker`. And `migrate`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NamedTuple

import click

from bot.cli import Command, State
from bot.cli.tables import diagnostics_table, wide_terminal

if TYPE_CHECKING:
    from bot.app import App
    from bot.config import Config

STOP_S = 4.8
"""Everything has to end within 5 s. What has not ended is left to the next start, as after a crash."""


class Parts(NamedTuple):
    """Which parts of Parley a process is."""

    name: str
    listen: bool = False
    work: bool = False
    serve: bool = False


def _part(parts: Parts, help_text: str) -> click.Command:
    """A command that runs these parts until it is told to stop."""

    @click.command(parts.name, cls=Command, help=help_text, short_help=help_text.partition("\n")[0])
    @click.pass_obj
    def run(state: State) -> None:
        config = state.config()
        _check_database(config, parts)
        with _deadline() as stopping:
            asyncio.run(_run(config, parts, stopping))

    return run


everything = _part(
    Parts("all", listen=True, work=True, serve=True),
    """Run everything that is set up, in one process.

    \b
    parley all
    PORT=9000 parley all
    """,
)
web = _part(
    Parts("web", serve=True),
    """Serve the page, health, metrics and platforms' calls.

    Runs beside `parley gateway` and `parley worker`; the processes share a PostgreSQL database.
    """,
)
gateway = _part(
    Parts("gateway", listen=True),
    """Hold the platforms' sockets.

    Run one of these beside `parley web` and `parley worker`; the processes share a PostgreSQL database.
    """,
)
worker = _part(
    Parts("worker", work=True),
    """Answer turns.

    Run any number of these beside `parley web` and `parley gateway`; the processes share a PostgreSQL database.
    """,
)


@click.command(cls=Command, short_help="Bring the database to this version.")
@click.pass_obj
def migrate(state: State) -> None:
    """Bring the database to this version. Running it again is harmless.

    `parley all` does this by itself. Where Parley runs as several processes, run it before them.
    """
    config = state.config()
    click.echo(f"The database is at revision {asyncio.run(_migrate(config))}.")


async def _migrate(config: Config) -> str:
    from bot.database import migrated, store_url
    from bot.store import open_store
    from bot.store.migrate import newest_revision

    store = open_store(store_url(config))
    try:
        await migrated(store)
    finally:
        await store.close()
    return newest_revision()


def _check_database(config: Config, parts: Parts) -> None:
    from bot.database import store_url
    from bot.errors import ConfigError

    if parts.name != "all" and store_url(config).startswith("sqlite"):
        raise ConfigError(
            f"DATABASE_URL: `parley {parts.name}` runs beside other processes, which share a PostgreSQL database. "
            "Set it to postgresql://USER:PASSWORD@HOST/NAME, or run `parley all`."
        )


async def _run(config: Config, parts: Parts, stopping: _Stopping) -> None:
    from bot.app import App

    told_to_stop = asyncio.Event()
    stopping.tell(told_to_stop)
    app = App(config, name=parts.name)
    async with app.running(listen=parts.listen, work=parts.work, serve=parts.serve):
        _show(app)
        await told_to_stop.wait()


class _Stopping:
    """Turns SIGINT and SIGTERM into an event, and the first of them into a deadline for the whole process."""

    def __init__(self) -> None:
        self._timer = threading.Timer(STOP_S, _leave)
        self._timer.daemon = True
        self._event: asyncio.Event | None = None

    def tell(self, event: asyncio.Event) -> None:
        """Set this event when a signal comes; a second signal ends the process at once."""
        self._event = event
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt instead
                loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        if self._event is None or self._event.is_set():
            _leave()
            return
        self._event.set()
        self._timer.start()

    def over(self) -> None:
        """Everything has ended: cancel the deadline."""
        self._timer.cancel()


@contextmanager
def _deadline() -> Iterator[_Stopping]:
    stopping = _Stopping()
    try:
        yield stopping
    finally:
        stopping.over()


def _leave() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _show(app: App) -> None:
    terminal = wide_terminal()
    terminal.print(diagnostics_table(app.readiness.diagnostics()))
    if app.port:
        terminal.print(f"Parley is at {app.page_url or app.url} – Ctrl-C stops it.", markup=False)
    else:
        terminal.print("Running – Ctrl-C stops it.", markup=False)
    sys.stdout.flush()
