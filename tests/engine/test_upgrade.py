"""A turn that an earlier version left unfinished is carried on from the steps that it recorded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import update

from bot.engine.results import Answer, Opened, Perception, Speech, restored
from bot.store import schema
from bot.types import Attachment, Audio, Blob, Reply, Text, Turn, to_json
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, ended
from tests.support import echo, rows

TURN = Turn("T1", 1, 1, FakeAdapter().says("hello"))
CLIP = Audio(Blob("0" * 64, "audio/ogg", 3))


@pytest.mark.parametrize(
    ("recorded", "value"),
    [
        ({"turn": TURN, "unread": [[7, Attachment("a", "", 1)]]}, Opened(TURN, ((7, Attachment("a", "", 1)),))),
        ({"parts": [Text("a")], "notices": ["b"]}, Perception((Text("a"),), ("b",))),
        ({"reply": Reply(), "exchange": (), "wants_speech": True}, Answer(Reply(), (), True)),
        ((CLIP, ("cut",)), Speech(CLIP, ("cut",))),
        (Speech(CLIP), Speech(CLIP)),
    ],
)
def test_what_version_0_1_recorded_is_read(recorded: Any, value: Any) -> None:
    """Mappings and pairs become the values of this version; a value stays itself."""
    assert restored(type(value), recorded) == value


def as_in_0_1(result: Any) -> Any:
    """The first step's result as version 0.1 wrote it."""
    turn = {name: item for name, item in result["turn"].items() if name not in ("source_id", "asked_again_by")}
    inbound = dict(turn["inbound"])
    inbound["asks"], inbound["mentions_us"] = inbound.pop("intent"), inbound.pop("mentions_bot")
    for name in ("wants_speech", "about_turn_id", "unreadable_hint"):
        del inbound[name]
    return {"turn": {**turn, "inbound": inbound}, "unread": []}


async def test_an_unfinished_turn_of_version_0_1_is_finished(make_app: MakeApp, platform: FakeAdapter) -> None:
    """Its receipt is reused, its recorded answer is shown and kept, and no model is asked again."""
    async with make_app(durable=True) as app:
        gate = asyncio.Event()
        echo(app).enqueue(gate, "never shown")
        accepted = await app.accept(platform.says("hello"))
        await platform.until(lambda me: bool(me.opened))
        while not await rows(app, schema.outcomes):
            await asyncio.sleep(0.005)
        await app.jobs.close(0.05)
        [opened] = await rows(app, schema.outcomes)
        earlier = {"result": as_in_0_1(json.loads(opened.outcome)["result"])}
        given = {"reply": to_json(Reply((Text("from before"),))), "exchange": to_json(()), "wants_speech": False}
        answered = {**opened._mapping, "ordinal": 1, "name": "answer", "outcome": json.dumps({"result": given})}
        async with app.store.connect(write=True) as connection:
            await connection.execute(update(schema.outcomes).values(outcome=json.dumps(earlier)))
            await connection.execute(schema.outcomes.insert().values(answered))
    async with make_app(durable=True) as app:
        await ended(app, accepted.turn_id)
        assert [row.text for row in await rows(app, schema.messages)] == ["hello", "from before"]
        assert [shown.text for shown in platform.posts.values()] == ["from before"]
        assert platform.opened == [accepted.turn_id]
        assert not [call for call in echo(app).calls if call.modality == "chat"]
