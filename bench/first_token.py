"""What Parley adds between an event and its first visible text, over a bare call of the same model server.

    python -m bench.first_token [--turns 200] [--per-second 10] [--database URL]

A model server runs in a process of its own. Bare calls by the vendor's client alternate with whole turns: durable accept,
steps, history, ledger, and a platform that takes no time. Printed are both, and their difference, at p50 and p99.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from openai import AsyncOpenAI

from bench import UNRATED
from bot import config as configuration
from bot.app import App
from bot.types import Address, Receipt, ReplyEvent, TextDelta
from tests.fakes import PLATFORM, FakeAdapter

MODEL = "gpt-5.2"


class Stopwatch(FakeAdapter):
    """A platform that notes when the first text of each turn shows."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, float] = {}

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Note the moment, and let the rest pass."""
        async for event in events:
            if isinstance(event, TextDelta):
                self.first.setdefault(receipt.turn_id, time.perf_counter())


@contextlib.asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    """The test server of the vendor's API in a process of its own; gives its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = (sys.executable, "-m", "tests.emulators.openai", "--port", str(port), "--pace", "0.02", "--tokens", "5")
    process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        await process.wait()


async def bare(client: AsyncOpenAI) -> float:
    """Seconds from the call to its first text."""
    began = time.perf_counter()
    stream = await client.responses.create(model=MODEL, input="hello there", stream=True, store=False)
    first = 0.0
    async for event in stream:
        if event.type == "response.output_text.delta" and not first:
            first = time.perf_counter() - began
    return first


async def turn(app: App, platform: Stopwatch, number: int) -> float:
    """Seconds from the event to its first visible text."""
    message = platform.says("hello there", address=Address(PLATFORM, "W1", f"C{number % 50}"))
    began = time.perf_counter()
    accepted = await app.accept(message)
    await platform.answered(accepted.turn_id)
    return platform.first[accepted.turn_id] - began


def quantile(values: list[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def main(turns: int, per_second: float, database: str) -> None:
    """Measure and print."""
    platform = Stopwatch()
    with tempfile.TemporaryDirectory() as home:
        async with model_server() as url:
            os.environ["OPENAI_API_KEY"] = "test-key"
            config = configuration.load(
                env_file=None,
                parley_home=Path(home),
                database_url=database or None,
                openai_base_url=url,
                openai_api="responses",
                chat_model=f"openai:{MODEL}",
                speech_model="none",
                **UNRATED,
            )
            app = App(config, only=(), more={PLATFORM: platform})
            client = AsyncOpenAI(api_key="test-key", base_url=url)
            async with app.running():
                for number in range(10):
                    await bare(client)
                    await turn(app, platform, number)
                alone, whole = [], []
                for number in range(turns):
                    alone.append(await bare(client))
                    whole.append(await turn(app, platform, number))
                    await asyncio.sleep(1 / per_second)
                await idle()
            await client.close()
    print(f"{'':24}{'p50':>9}{'p99':>9}  (ms, {turns} turns)")
    for name, values in (("bare call", alone), ("Parley", whole)):
        print(f"{name:24}{quantile(values, 0.5):9.1f}{quantile(values, 0.99):9.1f}")
    added = [(a, b) for a, b in zip(alone, whole, strict=True)]
    p50 = quantile(whole, 0.5) - quantile(alone, 0.5)
    p99 = quantile(whole, 0.99) - quantile(alone, 0.99)
    print(f"{'added':24}{p50:9.1f}{p99:9.1f}")
    print(f"mean added {1000 * statistics.mean(b - a for a, b in added):.1f} ms")


async def idle(seconds: float = 5) -> None:
    """Print what share of a core the process uses while nothing happens."""
    await asyncio.sleep(1)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.sleep(seconds)
    after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"idle: {100 * used / took:.2f} % of a core; {after.ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--per-second", type=float, default=10)
    parser.add_argument("--database", default="", help="a PostgreSQL URL; unset: SQLite")
    given = parser.parse_args()
    asyncio.run(main(given.turns, given.per_second, given.database))
