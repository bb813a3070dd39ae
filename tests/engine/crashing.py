"""A Parley that kills itself at a chosen moment, run as a process of its own by the crash tests.

    python -m tests.engine.crashing HOME URL TEXT [MOMENT]

MOMENT: `accepted` (written, not begun), `in:STEP` (its work is done, not recorded), `after:STEP` (recorded), or
`streaming` (half an answer shown). Without one, it works until nothing is left. HOME/outside.jsonl tells what happened outside.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bot import config as configuration
from bot.app import App
from bot.engine import run_job
from bot.providers.echo.script import Script
from bot.store import turns
from bot.types import InboundMessage, Receipt, Reply, ReplyEvent, TextDelta, Turn
from tests.fakes import ANN, HERE, PLATFORM, FakeAdapter


def die() -> None:
    """As the power cut does: no clean-up, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


class Outside:
    """The world that survives the process: a file with a line for each thing that happened."""

    def __init__(self, home: Path) -> None:
        self._path = home / "outside.jsonl"

    def note(self, what: str, **more: Any) -> None:
        """It happened."""
        with self._path.open("a") as file:
            file.write(json.dumps({"what": what, **more}) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def seen(self) -> list[dict[str, Any]]:
        """All that happened."""
        return [json.loads(line) for line in self._path.read_text().splitlines()] if self._path.exists() else []


class LastingPlatform(FakeAdapter):
    """A platform whose posts outlive the process; it finds its post of a turn again, as platforms do by metadata or nonce."""

    def __init__(self, outside: Outside, moment: str) -> None:
        super().__init__()
        self._outside = outside
        self._moment = moment

    async def open(self, turn: Turn) -> Receipt:
        """Post, unless the post is there."""
        posted = [item["id"] for item in self._outside.seen() if item["what"] == "post" and item["turn"] == turn.id]
        message_id = posted[0] if posted else f"R-{turn.id[:6]}"
        if not posted:
            self._outside.note("post", turn=turn.id, id=message_id)
        return Receipt(turn.inbound.address, turn.id, (message_id,))

    async def set_status(self, receipt: Receipt, text: str) -> None:
        """Nothing that lasts."""

    async def stream(self, receipt: Receipt, events: AsyncIterator[ReplyEvent]) -> None:
        """Edit the post as the text comes."""
        text = ""
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
                self._outside.note("edit", id=receipt.message_ids[0], text=text)
                if self._moment == "streaming":
                    die()

    async def finish(self, receipt: Receipt, reply: Reply) -> Receipt:
        """Leave the reply."""
        kinds = [type(part).__name__ for part in reply.parts]
        self._outside.note("finish", id=receipt.message_ids[0], text=reply.text, parts=kinds)
        return receipt


class MortalStep:
    """Steps that end with the process at the chosen moment."""

    def __init__(self, step: Any, moment: str) -> None:
        self._step = step
        self._moment = moment

    @property
    def notes(self) -> Any:
        """Of the real one."""
        return self._step.notes

    async def __call__(self, name: str, fn: Any, *args: Any) -> Any:
        """The step, and perhaps the end."""

        async def done_but_not_recorded(*inner: Any) -> Any:
            result = await fn(*inner)
            if self._moment == f"in:{name}":
                die()
            return result

        result = await self._step(name, done_but_not_recorded, *args)
        if self._moment == f"after:{name}":
            die()
        return result


class MortalApp(App):
    """A Parley with mortal steps."""

    moment = ""

    async def _run_job(self, turn_id: str, step: Any) -> None:
        if self.moment == "accepted":
            await asyncio.Event().wait()
        await run_job(turn_id, MortalStep(step, self.moment), self.runtime)


async def main(home: Path, url: str, text: str, moment: str) -> None:
    """Accept the event, as its platform delivers it again after every crash, and work until nothing is left."""
    outside = Outside(home)
    models = {"chat_model": "echo:echo", "speech_model": "echo:echo", "transcribe_model": "echo:echo"}
    config = configuration.load(env_file=None, parley_home=home, database_url=url, worker_name="w", **models)
    app = MortalApp(config, only=(), more={PLATFORM: LastingPlatform(outside, moment)})
    app.moment = moment
    noted = Script.note

    def note(script: Script, modality: str, *more: Any, **named: Any) -> None:
        outside.note("paid", modality=modality)
        noted(script, modality, *more, **named)

    setattr(Script, "note", note)  # noqa: B010  (before the start: what a crash left is taken up at once)
    async with app.running():
        await app.accept(InboundMessage("E1", "M1", HERE, ANN, text, is_direct=True, wants_speech=True))
        if moment == "accepted":
            die()
        async with asyncio.timeout(60):
            while await turns.unfinished(app.store):
                await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else ""))
