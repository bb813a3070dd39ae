"""Many conversations at Discord at once, under its rate limits: how late answers are, and what they cost in calls and memory.

    python -m bench.discord [--conversations 100] [--words 60] [--same-channel]

The emulator runs here with its buckets enforced, Parley in a process of its own with durable jobs on SQLite. Each conversation has
its own channel; all begin at once; a model answers with 60 words at 50 ms, so an answer takes 3 s at best. Printed are the times
until the whole answer shows, beside that ideal; the calls for each reply; what was refused for haste; and Parley's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from adapters.discord.emulator import Channel, DiscordEmulator, Limits, Message
from bench import UNRATED
from bot import config as configuration
from bot.app import App

PACE_S = 0.05
PATIENCE_S = 120


async def hold_parley(environment: dict[str, str], home: Path) -> None:
    """Be Parley until standard input ends."""
    models = {
        f"{name}_model": "echo:echo" if name == "chat" else "none"
        for name in ("chat", "transcribe", "speech", "image", "embedding")
    }
    config = configuration.load(
        env_file=None, **{**environment, **models, **UNRATED, "parley_home": home, "port": 0, "log_level": "ERROR"}
    )
    app = App(config, only={"discord"})
    async with app.running(listen=True):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, sys.stdin.read)


@contextlib.asynccontextmanager
async def parley(discord: DiscordEmulator, home: str) -> AsyncIterator[int]:
    """Parley in a process of its own; gives its id."""
    values = {
        "DISCORD_BOT_TOKEN": discord.token,
        "DISCORD_API_URL": discord.api_url,
        "DISCORD_GATEWAY_URL": discord.gateway_url,
        "DISCORD_CDN_URL": discord.cdn_url,
    }
    arguments = (sys.executable, "-m", "bench.discord", "--parley", home)
    process = await asyncio.create_subprocess_exec(
        *arguments, stdin=asyncio.subprocess.PIPE, env={**os.environ, **values}
    )
    try:
        await discord.wait_connected(30)
        yield process.pid
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


class Watch:
    """Notes when each answer is whole."""

    def __init__(self, discord: DiscordEmulator, last_word: str) -> None:
        self._last = last_word
        self.first: dict[int, float] = {}
        self.whole: dict[int, float] = {}
        discord.world.listeners.append(self._look)

    def _look(self, event: Any) -> None:
        message = event.subject
        if not isinstance(message, Message) or not message.reference or not message.by_app:
            return
        question, now = message.reference.message_id or 0, time.perf_counter()
        self.first.setdefault(question, now)
        if self._last in message.content.split():
            self.whole.setdefault(question, now)


async def ask(discord: DiscordEmulator, channels: list[Channel], words: int) -> tuple[list[float], list[float], bool]:
    """Ask in all channels at once; gives seconds to the first text and to the whole, and whether all words came in order."""
    watch = Watch(discord, f"word{words - 1}")
    began: dict[int, float] = {}
    for channel in channels:
        text = f"<@{discord.bot.id}> [[long {words}]] [[slow {PACE_S}]]"
        began[discord.post(discord.alice, channel, text).id] = time.perf_counter()
    await discord.wait_for(lambda: len(watch.whole) == len(channels), PATIENCE_S)
    wanted = [f"word{number}" for number in range(words)]
    answers = [
        m for m in discord.world.messages.values() if m.by_app and m.reference and m.reference.message_id in began
    ]
    is_whole = all(m.content.split() == wanted for m in answers) and len(answers) == len(began)
    first = [watch.first[question] - at for question, at in began.items()]
    return first, [watch.whole[question] - at for question, at in began.items()], is_whole


def memory_mb(pid: int) -> float:
    """What a process holds of main memory, in MB; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
    return 0.0


def busy_s(pid: int) -> float:
    """The processor time that a process has used; 0 where the system does not tell."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def writes(discord: DiscordEmulator) -> Counter[str]:
    """Calls that show something, by their method; and those that were refused."""
    counted: Counter[str] = Counter()
    for call in discord.calls:
        if call.route.startswith("/channels/{channel_id}/messages"):
            counted[call.method] += 1
        if call.route.endswith("/typing"):
            counted["typing"] += 1
        if call.status == 429:
            counted["429"] += 1
    return counted


async def measure(conversations: int, words: int, *, same_channel: bool) -> None:
    """Ask one alone, then all at once, and print."""
    stream_s = words * PACE_S
    ideal = ideal_p50_s(stream_s, conversations)
    with tempfile.TemporaryDirectory() as home:
        async with DiscordEmulator(limits=Limits()) as discord:
            channels = [discord.add_channel(discord.guild, f"c{number}") for number in range(conversations)]
            async with parley(discord, home) as pid:
                await ask(discord, [discord.random], 5)
                _, (alone,), _ = await ask(discord, [discord.general], words)
                before, idle, busy = writes(discord), memory_mb(pid), busy_s(pid)
                where = [discord.random] * conversations if same_channel else channels
                first, whole, is_whole = await ask(discord, where, words)
                await asyncio.sleep(1.5)
                busy = busy_s(pid) - busy
                used = writes(discord) - before
                print(f"one alone: {alone:.2f} s for a stream of {stream_s:.2f} s")
                report(f"{conversations} at once, first text", first)
                report(f"{conversations} at once, whole answer", whole)
                p50 = statistics.median(whole)
                print(
                    f"p50 is {p50 / ideal:.2f} times the ideal of {ideal:.2f} s, {p50 / stream_s:.2f} times the stream alone"
                )
                print(f"whole and in order: {is_whole}")
                calls = {kind: round(count / conversations, 2) for kind, count in sorted(used.items()) if kind != "429"}
                print(f"calls for each reply: {calls}; refused for haste: {used['429']}")
                print(f"processor time: {1000 * busy / conversations:.1f} ms for each reply")
                print(f"Parley's memory: {idle:.0f} MB before, {memory_mb(pid):.0f} MB after")


def ideal_p50_s(stream_s: float, conversations: int) -> float:
    """When half of the answers could stand whole at best: all streams end together, and Discord takes so many calls a second."""
    per_s = Limits().global_per_s
    return statistics.median(stream_s + number // per_s for number in range(conversations))


def report(name: str, seconds: list[float]) -> None:
    """One line."""
    found = sorted(seconds)
    print(
        f"{name}: p50 {statistics.median(found):.2f} s, p95 {found[int(len(found) * 0.95) - 1]:.2f} s, max {found[-1]:.2f} s"
    )


def main() -> None:
    """Measure, or be Parley."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=100)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--same-channel", action="store_true", help="all in one channel, whose bucket they share")
    parser.add_argument("--parley", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.parley:
        asyncio.run(hold_parley({}, Path(given.parley)))
    else:
        asyncio.run(measure(given.conversations, given.words, same_channel=given.same_channel))


if __name__ == "__main__":
    main()
