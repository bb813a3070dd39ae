"""Runs the emulator until it is interrupted: `python -m tests.emulators.openai --port 4010 --pace 0.05 --tokens 60`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys

from tests.emulators.openai.server import KEY, OpenAIEmulator


async def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--pace", type=float, default=0.0, help="seconds before each piece of text")
    parser.add_argument("--tokens", type=int, default=0, help="length of every answer; 0: an echo")
    parser.add_argument("--dialect", choices=["openai", "plain"], default="openai")
    parser.add_argument("--key", default=KEY)
    given = parser.parse_args()
    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    emulator = OpenAIEmulator(
        key=given.key, pace_s=given.pace, tokens=given.tokens, dialect=given.dialect, port=given.port
    )
    async with emulator:
        sys.stdout.write(f"{emulator.base_url}\n")
        sys.stdout.flush()
        await done.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
