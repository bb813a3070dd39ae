"""One process serves a SQLite database; others say so and do not start."""

from __future__ import annotations

import pytest

from bot.app import App
from bot.errors import ConfigError
from tests.conftest import MakeApp, MakeConfig
from tests.fakes import FakeAdapter, answer


async def test_a_second_serving_process_does_not_start(make_app: MakeApp, platform: FakeAdapter) -> None:
    """It would answer beside the first without its order. The error names the file and what to do; the first goes on."""
    async with make_app() as app:
        with pytest.raises(ConfigError, match=r"Another Parley serves .*parley\.db already.*PARLEY_HOME"):
            async with make_app():
                pass
        assert (await answer(app, platform, platform.says("hello"))).text == "You said: hello"
    async with make_app():
        pass


async def test_terminal_commands_work_beside_it(make_app: MakeApp, make_config: MakeConfig) -> None:
    """What only asks, or only looks, needs no lock."""
    async with make_app(), App(make_config(), only=(), durable=False).running(take_over=False) as asking:
        assert asking.runtime.models.chosen["chat"] == "echo:echo"


async def test_many_processes_share_a_database_server(make_app: MakeApp, postgres_url: str) -> None:
    """On PostgreSQL any number serves."""
    async with make_app(database_url=postgres_url) as one, make_app(database_url=postgres_url) as other:
        assert one.store.url == other.store.url
