"""A hundred conversations at Slack at once, each answered by a 3-second stream, while Slack's limits are enforced.

    python -m bench.slack [--conversations 100] [--channels 100] [--seconds 3] [--words 60] [--memory]

Slack (the emulator, with the people in it) is a process of its own, so that the figures are Parley's. Printed are the time from a
question to its whole answer, what was seen first, writes for each reply, refusals, and memory. A channel takes one message a
second, so the ideal is the longer of the stream and what the channels let through.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from adapters.slack.emulator import AppConfig, Message, SlackEmulator
from bench import UNRATED
from bot import config as configuration
from bot.app import App
from tests.acceptance.slack_support import ECHO

WRITES = ("chat.postMessage", "chat.update", "chat.startStream", "chat.appendStream", "chat.stopStream", "chat.delete")


async def parley(options: argparse.Namespace) -> None:
    """Start Slack beside us, answer, and print what it saw."""
    command = [sys.executable, "-m", "bench.slack", "--side", "slack", *sys.argv[1:]]
    pipes = {"stdin": asyncio.subprocess.PIPE, "stdout": asyncio.subprocess.PIPE}
    slack = await asyncio.create_subprocess_exec(*command, **pipes)
    assert slack.stdout is not None and slack.stdin is not None
    values = json.loads(await slack.stdout.readline())
    with tempfile.TemporaryDirectory() as home:
        chosen = {"parley_home": Path(home), "port": 0, **ECHO, **UNRATED, **values}
        app = App(configuration.load(env_file=None, **chosen), only={"slack"}, durable=not options.memory)
        async with app.running(listen=True):
            before, busy_s = rss_mb(), time.process_time()
            slack.stdin.write(b"go\n")
            seen = json.loads(await slack.stdout.readline())
            report(seen, before, time.process_time() - busy_s, options)
    await slack.wait()


async def people(options: argparse.Namespace) -> None:
    """The other side: Slack, its people, and their stopwatches. Begins when told to, and prints what was seen."""
    async with SlackEmulator(AppConfig(), limits="strict") as slack:
        environment = {name.lower(): value for name, value in slack.environment().items()}
        print(json.dumps(environment), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await slack.wait_for(lambda: slack.sockets, 20)
        channels = [slack.add_channel(f"room-{number}").id for number in range(options.channels)]
        asking = (one(slack, channels[number % len(channels)], options) for number in range(options.conversations))
        seen = await asyncio.gather(*asking)
        calls = Counter(call.method for call in slack.calls)
        refused = Counter(call.method for call in slack.calls if call.status == 429)
        print(json.dumps({"answers": seen, "calls": calls, "refused": refused}), flush=True)


async def one(slack: SlackEmulator, channel: str, options: argparse.Namespace) -> tuple[float, float, bool]:
    """Ask and wait; gives seconds to something visible, seconds to the whole answer, and whether it came in order."""
    began = time.perf_counter()
    pace = options.seconds / options.words
    text = f"<@{slack.bot.id}> [[long {options.words}]] [[slow {pace:.4f}]]"
    asked, visible = slack.post("ada", channel, text), 0.0
    wanted = [f"word{number}" for number in range(options.words)]
    while (passed := time.perf_counter() - began) < options.patience:
        found = [m for m in slack.replies(asked) if m.user == slack.bot.id]
        if not visible and (found or slack.status(channel, asked.ts)):
            visible = passed
        if is_whole(found, wanted[-1]):
            words = [word for m in found for word in m.shown.split() if word.startswith("word")]
            return visible, passed, words == wanted
        await asyncio.sleep(0.05)
    return visible, options.patience, False


def is_whole(found: list[Message], last: str) -> bool:
    """Whether the last word stands there and nothing streams any more."""
    return bool(found) and last in found[-1].shown and not any(m.is_streaming for m in found)


def report(seen: dict[str, Any], before: float, busy_s: float, options: argparse.Namespace) -> None:
    """Print the figures."""
    answers, calls = seen["answers"], seen["calls"]
    whole = sorted(answer[1] for answer in answers)
    ideal = max(options.seconds, options.conversations / options.channels - 4)
    counted = {name: calls[name] for name in WRITES if name in calls}
    p50, p95 = statistics.median(whole), whole[int(len(whole) * 0.95) - 1]
    print(
        f"{options.conversations} conversations, {options.channels} channels, {options.seconds} s streams, ideal {ideal:.1f} s"
    )
    print(f"complete and in order  {sum(answer[2] for answer in answers)} of {len(answers)}")
    print(f"something visible      p50 {statistics.median(answer[0] for answer in answers):.2f} s")
    print(f"whole answer           p50 {p50:.2f} s ({p50 / ideal:.2f} x ideal)  p95 {p95:.2f} s  max {whole[-1]:.2f} s")
    print(f"writes for each reply  {sum(counted.values()) / len(answers):.2f}  {counted}")
    print(f"processor time         {1000 * busy_s / len(answers):.1f} ms for each reply")
    print(f"refused with 429       {sum(seen['refused'].values())} {seen['refused']}")
    print(f"memory                 {before:.0f} MB before, {rss_mb():.0f} MB at its highest")


def rss_mb() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=100)
    parser.add_argument("--channels", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--words", type=int, default=60)
    parser.add_argument("--patience", type=float, default=150.0)
    parser.add_argument("--memory", action="store_true", help="jobs in memory alone")
    parser.add_argument("--side", default="parley", choices=("parley", "slack"), help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    chosen_side = arguments()
    asyncio.run((people if chosen_side.side == "slack" else parley)(chosen_side))
