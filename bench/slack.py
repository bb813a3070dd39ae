"""A hundred conversations at Slack at once, each answered by a 3-second stream, while Slack's limits are enforced.

    python -m bench.slack [--conversations 100] [--channels 100] [--seconds 3] [--words 60]

The emulator and Parley share this process, so the memory is of both. Printed are the time from a question to its whole
answer, what was seen first, writes for each reply, refusals, and memory. A single channel takes one message a second, so the ideal
is the longer of the stream and what the channels let through.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

from adapters.slack.emulator import Message
from tests.acceptance.slack_support import World, world

WRITES = ("chat.postMessage", "chat.update", "chat.startStream", "chat.appendStream", "chat.stopStream", "chat.delete")


async def main() -> None:
    """Run and print."""
    options = arguments()
    limits: dict[str, object] = {"limits": "strict", "slack_socket_count": 2, "worker_concurrency": 200}
    with tempfile.TemporaryDirectory() as home:
        async with world(Path(home), durable=not options.memory, **limits) as w:
            channels = [w.slack.add_channel(f"room-{number}").id for number in range(options.channels)]
            before = rss_mb()
            seen = await asyncio.gather(
                *(one(w, channels[n % len(channels)], n, options) for n in range(options.conversations))
            )
            report(w, seen, before, options)


async def one(w: World, channel: str, number: int, options: argparse.Namespace) -> tuple[float, float, str]:
    """Ask, and wait for the last word; gives seconds to something visible, seconds to the whole, and the whole."""
    began = time.perf_counter()
    pace = options.seconds / options.words
    asked = w.mention(f"[[long {options.words}]] [[slow {pace:.4f}]] {number}", channel=channel)
    visible = 0.0

    def answers() -> list[Message]:
        return [m for m in w.slack.replies(asked) if m.user == w.slack.bot.id]

    while True:
        if not visible and (answers() or w.slack.status(channel, asked.ts)):
            visible = time.perf_counter() - began
        found = answers()
        text = " ".join(m.shown for m in found)
        if f"word{options.words - 1}" in text and not any(m.is_streaming for m in found):
            return visible, time.perf_counter() - began, text
        if time.perf_counter() - began > options.patience:
            return visible, float("inf"), text
        await asyncio.sleep(0.15)


def report(w: World, seen: list[tuple[float, float, str]], before: float, options: argparse.Namespace) -> None:
    """Print the figures."""
    whole = sorted(one[1] for one in seen)
    wanted = [f"word{number}" for number in range(options.words)]
    complete = sum([word for word in text.split() if word.startswith("word")] == wanted for _, _, text in seen)
    ideal = max(options.seconds, options.conversations / options.channels - 4)
    calls = Counter(call.method for call in w.slack.calls)
    writes = sum(calls[name] for name in WRITES)
    refused = Counter(call.method for call in w.slack.calls if call.status == 429)
    p50 = statistics.median(whole)
    counted = {name: calls[name] for name in WRITES if calls[name]}
    print(
        f"{options.conversations} conversations in {options.channels} channels, streams of {options.seconds} s, ideal {ideal:.1f} s"
    )
    print(f"complete and in order  {complete} of {len(seen)}")
    print(f"something visible      p50 {statistics.median(one[0] for one in seen):.2f} s")
    print(
        f"whole answer           p50 {p50:.2f} s ({p50 / ideal:.2f} x ideal)"
        f"  p95 {whole[int(len(whole) * 0.95) - 1]:.2f} s  max {whole[-1]:.2f} s"
    )
    print(f"writes for each reply  {writes / len(seen):.2f}  {counted}")
    print(f"refused with 429       {sum(refused.values())} {dict(refused)}")
    print(f"memory                 {before:.0f} MB before, {rss_mb():.0f} MB at its highest (emulator included)")


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
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main())
