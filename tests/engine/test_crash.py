"""Killed at any moment of a turn, and started again: one answer, in one post, and no recorded step is paid again."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.engine.crashing import Outside

MOMENTS = {
    "accepted": {"chat": 1, "speech": 1},
    "in:open": {"chat": 1, "speech": 1},
    "after:open": {"chat": 1, "speech": 1},
    "streaming": {"chat": 2, "speech": 1},
    "in:answer": {"chat": 2, "speech": 1},
    "after:answer": {"chat": 1, "speech": 1},
    "in:speak": {"chat": 1, "speech": 2},
    "after:speak": {"chat": 1, "speech": 1},
    "in:finish": {"chat": 1, "speech": 1},
    "after:finish": {"chat": 1, "speech": 1},
}
"""Each moment, and how often each model is asked in all: a second time only when its step was not recorded."""


async def run(home: Path, url: str, moment: str = "") -> int:
    """Run the mortal Parley to its end; gives its exit status."""
    arguments = (sys.executable, "-m", "tests.engine.crashing", str(home), url, "hello there", moment)
    process = await asyncio.create_subprocess_exec(*arguments, cwd=Path(__file__).parents[2], env={**os.environ})
    async with asyncio.timeout(90):
        return await process.wait()


def paid(outside: Outside) -> dict[str, int]:
    """How often each model was asked."""
    asked = [item["modality"] for item in outside.seen() if item["what"] == "paid"]
    return {modality: asked.count(modality) for modality in set(asked)}


async def crash_and_recover(home: Path, url: str, moment: str) -> None:
    """The whole story, with what must hold at its end."""
    assert await run(home, url, moment) == -signal.SIGKILL
    assert await run(home, url) == 0
    outside = Outside(home)
    assert len([item for item in outside.seen() if item["what"] == "post"]) == 1
    final = [item for item in outside.seen() if item["what"] == "finish"][-1]
    assert (final["text"], final["parts"]) == ("You said: hello there", ["Text", "Audio"])
    assert paid(outside) == MOMENTS[moment]


QUICK = ("accepted", "streaming", "in:answer", "after:answer", "in:finish")
"""The moments of the quick check; `make hard` has them all, on both databases."""


@pytest.mark.parametrize(
    "moment", [one if one in QUICK else pytest.param(one, marks=pytest.mark.hard) for one in MOMENTS]
)
async def test_killed_at_each_moment_on_sqlite(moment: str, tmp_path: Path) -> None:
    """On one machine with SQLite: kill -9, start again, one answer; the person's own words, the same post."""
    await crash_and_recover(tmp_path, f"sqlite:///{tmp_path / 'parley.db'}", moment)
    with sqlite3.connect(tmp_path / "parley.db") as connection:
        states = connection.execute("SELECT state FROM turns").fetchall()
        roles = connection.execute("SELECT role, text FROM messages ORDER BY source_id, ordinal").fetchall()
    connection.close()
    assert states == [("done",)]
    assert roles == [("user", "hello there"), ("assistant", "You said: hello there\nYou said: hello there")]


@pytest.mark.parametrize("moment", ["streaming", "in:finish"])
async def test_killed_at_some_moments_on_postgresql(moment: str, tmp_path: Path, postgres_url: str) -> None:
    """With PostgreSQL and its queue the same holds."""
    await crash_and_recover(tmp_path, postgres_url, moment)


@pytest.mark.hard
@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_at_each_moment_on_postgresql(moment: str, tmp_path: Path, postgres_url: str) -> None:
    """With PostgreSQL and its queue, at every moment."""
    await crash_and_recover(tmp_path, postgres_url, moment)


async def test_another_worker_takes_over(tmp_path: Path, postgres_url: str) -> None:
    """A worker that died for good is noticed by one of another name, which finishes its turns."""
    assert await run(tmp_path, postgres_url, "streaming") == -signal.SIGKILL
    arguments = (sys.executable, "-c", OTHER_WORKER, str(tmp_path), postgres_url)
    process = await asyncio.create_subprocess_exec(*arguments, cwd=Path(__file__).parents[2])
    async with asyncio.timeout(90):
        assert await process.wait() == 0
    outside = Outside(tmp_path)
    assert [item["text"] for item in outside.seen() if item["what"] == "finish"] == ["You said: hello there"]
    assert len([item for item in outside.seen() if item["what"] == "post"]) == 1


OTHER_WORKER = """
import asyncio, datetime, functools, sys
from pathlib import Path
from bot import app
app.StoreWorkerRegistry = functools.partial(app.StoreWorkerRegistry, heartbeat_timeout=datetime.timedelta(seconds=1))
from tests.engine import crashing
load = crashing.configuration.load
crashing.configuration.load = lambda **values: load(**{**values, "worker_name": "another"})
asyncio.run(crashing.main(Path(sys.argv[1]), sys.argv[2], "hello there", ""))
"""
