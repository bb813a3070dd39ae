"""Whoever can write to the database runs no code by it: DBOS's tables hold plain JSON, and no pickle in them is opened."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from bot.errors import UsageError
from bot.jobs.durable import QUEUE, VERSION, DurableJobs
from bot.ports import Handler, Job, Step
from bot.store import open_store, schema
from bot.store.migrate import migrate
from bot.store.workers import StoreWorkerRegistry
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, FakeClock, ended
from tests.support import echo, rows


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (self._path,)


def pickled(value: Any) -> str:
    """As DBOS keeps pickles."""
    return base64.b64encode(pickle.dumps(value)).decode()


@asynccontextmanager
async def durable_jobs(url: str, handler: Handler) -> AsyncIterator[DurableJobs]:
    """Jobs on this database."""
    store = open_store(url)
    await migrate(store)
    jobs = DurableJobs(
        make_url(url),
        StoreWorkerRegistry(store),
        FakeClock(),
        name="one",
        concurrency=8,
        sweep_s=5,
        take_over=False,
        prune_at_once=3,
    )
    await jobs.start(handler)
    try:
        yield jobs
    finally:
        await jobs.close(0.05)
        await store.close()


def execute(url: str, statement: str, *values: Any) -> list[Any]:
    """Do it as somebody who can write to the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        done = connection.execute(statement, values)  # type: ignore[arg-type]
        return done.fetchall() if done.description else []


def plant(url: str, job_id: str, inputs: str, serialization: str | None) -> None:
    """A job in DBOS's own tables that waits to be taken; its input stands where releases of DBOS keep it."""
    execute(
        url,
        "INSERT INTO dbos.workflow_input (workflow_uuid, inputs, retention_timestamp) VALUES (%s, %s, 1)",
        job_id,
        inputs,
    )
    execute(
        url,
        "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, queue_name, queue_partition_key, application_version,"
        " inputs, serialization, created_at, updated_at, priority) VALUES (%s, 'ENQUEUED', 'job', %s, 'x', %s, %s, %s, 1, 1, 0)",
        *(job_id, QUEUE, VERSION, inputs, serialization),
    )


async def until_ended(url: str, job_id: str) -> str:
    """The state of the job once it waits and runs no more; empty when it is gone."""
    async with asyncio.timeout(20):
        while True:
            found = execute(url, "SELECT status FROM dbos.workflow_status WHERE workflow_uuid = %s", job_id)
            if not found or found[0][0] not in ("ENQUEUED", "PENDING"):
                return str(found[0][0]) if found else ""
            await asyncio.sleep(0.02)


async def nothing(job_id: str, step: Step) -> None:
    """A job without work."""


@pytest.mark.parametrize("serialization", ["py_pickle", None, "portable_json"])
async def test_a_hostile_row_is_not_executed(postgres_url: str, tmp_path: Path, serialization: str | None) -> None:
    """A pickle as the input of a job, whatever the row says that it is: the job fails, and the one after it runs."""
    ran = asyncio.Event()

    async def handle(job_id: str, step: Step) -> None:
        if job_id == "good":
            ran.set()

    async with durable_jobs(postgres_url, handle) as jobs:
        plant(postgres_url, "bad", pickled({"args": (Hostile(tmp_path / "opened"), ""), "kwargs": {}}), serialization)
        assert await until_ended(postgres_url, "bad") == "ERROR"
        await jobs.enqueue(Job("good", "x", 2))
        async with asyncio.timeout(20):
            await ran.wait()
        assert logging.getLogger("dbos").handlers == [], "what DBOS logs comes by our log, where no text forges a line"
    assert not (tmp_path / "opened").exists()


async def test_a_hostile_row_from_before_the_start_is_not_executed(postgres_url: str, tmp_path: Path) -> None:
    """It is deleted at the next start, for no turn of ours needs it."""
    async with durable_jobs(postgres_url, nothing):
        pass
    plant(postgres_url, "bad", pickled({"args": (Hostile(tmp_path / "opened"), ""), "kwargs": {}}), "py_pickle")
    async with durable_jobs(postgres_url, nothing):
        assert await until_ended(postgres_url, "bad") == ""
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("column", ["output", "error"])
async def test_a_hostile_result_of_a_step_is_not_executed(postgres_url: str, tmp_path: Path, column: str) -> None:
    """A pickle as what a step gave before a restart: the step fails when it is to give that again."""
    began: asyncio.Queue[str] = asyncio.Queue()
    seen: list[str] = []

    async def one() -> str:
        return "done"

    async def handle(job_id: str, step: Step) -> None:
        try:
            seen.append(await step("one", one))
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        finally:
            await began.put(job_id)
        await asyncio.Event().wait()

    async with durable_jobs(postgres_url, handle) as jobs:
        await jobs.enqueue(Job("a", "lane", 1))
        await began.get()
    execute(postgres_url, "UPDATE dbos.operation_outputs SET output = NULL, error = NULL, serialization = 'py_pickle'")
    execute(postgres_url, f"UPDATE dbos.operation_outputs SET {column} = %s", pickled(Hostile(tmp_path / "opened")))
    execute(postgres_url, "UPDATE dbos.workflow_status SET status = 'PENDING'")
    async with durable_jobs(postgres_url, handle):
        async with asyncio.timeout(20):
            await began.get()
    assert seen == ["done", "ValueError"]
    assert not (tmp_path / "opened").exists()


async def test_the_tables_hold_plain_json(postgres_url: str) -> None:
    """Inputs, results and errors: all that DBOS keeps of a job is read without any code of ours."""
    done = asyncio.Event()

    async def gives() -> str:
        return "a result"

    async def fails() -> None:
        raise UsageError("in words")

    async def handle(job_id: str, step: Step) -> None:
        await step("gives", gives)
        try:
            await step("fails", fails)
        finally:
            done.set()

    async with durable_jobs(postgres_url, handle) as jobs:
        await jobs.enqueue(Job("a", "lane", 1))
        await done.wait()
        assert await until_ended(postgres_url, "a") == "ERROR"
    statuses = execute(
        postgres_url,
        "SELECT i.inputs, o.error, s.serialization FROM dbos.workflow_status s"
        " JOIN dbos.workflow_input i USING (workflow_uuid) JOIN dbos.workflow_output o USING (workflow_uuid)",
    )
    outputs = execute(postgres_url, "SELECT output, serialization FROM dbos.operation_outputs ORDER BY function_id")
    assert {row[-1] for row in (*statuses, *outputs)} == {"portable_json"}
    assert json.loads(statuses[0][0]) == {"positionalArgs": ["turn", "a"], "namedArgs": {}}
    assert json.loads(statuses[0][1])["message"] == "UsageError: in words"
    assert [list(json.loads(json.loads(row[0]))) for row in outputs] == [["result"], ["error"]]


async def test_all_that_is_old_is_deleted_however_much_it_is(postgres_url: str) -> None:
    """The results of steps are people's words: those of a busy day do not stay because one statement deletes only so many."""
    ran: asyncio.Queue[str] = asyncio.Queue()

    async def handle(job_id: str, step: Step) -> None:
        await step("done", done)
        await ran.put(job_id)

    async def done() -> str:
        return "what somebody said"

    async with durable_jobs(postgres_url, handle) as jobs:
        for number in range(7):
            await jobs.enqueue(Job(f"job {number}", f"lane {number}", number))
        for _ in range(7):
            await ran.get()
        for number in range(7):
            await until_ended(postgres_url, f"job {number}")
        assert await jobs.prune(datetime.now(UTC) + timedelta(seconds=5)) == 7
    for table in ("workflow_status", "workflow_input", "workflow_output", "operation_outputs"):
        assert execute(postgres_url, f"SELECT count(*) FROM dbos.{table}") == [(0,)], table


@pytest.mark.parametrize("status", ["ENQUEUED", "PENDING"])
async def test_a_turn_that_a_former_version_pickled_is_answered(
    postgres_url: str, make_app: MakeApp, platform: FakeAdapter, status: str
) -> None:
    """After the upgrade it is begun anew from the inbox, and the answer stands where the first attempt posted."""
    async with make_app(database_url=postgres_url, durable=True) as app:
        echo(app).enqueue(asyncio.Event(), "never shown")
        accepted = await app.accept(platform.says("hello"))
        while not platform.opened:
            await asyncio.sleep(0.01)
        await app.jobs.close(0.05)
    inputs = pickled({"args": ("turn", accepted.turn_id), "kwargs": {}})
    execute(
        postgres_url,
        "UPDATE dbos.workflow_status SET status = %s, inputs = %s, serialization = 'py_pickle'",
        status,
        inputs,
    )
    execute(postgres_url, "UPDATE dbos.workflow_input SET inputs = %s", inputs)
    execute(postgres_url, "UPDATE dbos.operation_outputs SET output = %s, serialization = 'py_pickle'", pickled("{}"))
    async with make_app(database_url=postgres_url, durable=True) as app:
        echo(app).enqueue("from this version")
        await ended(app, accepted.turn_id)
        assert [row.text for row in await rows(app, schema.messages)] == ["hello", "from this version"]
    assert [shown.text for shown in platform.posts.values()] == ["from this version"]
