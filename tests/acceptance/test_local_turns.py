"""Whole turns on the models that `make run` starts without a key: real weights, nothing scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from bot.app import App
from bot.media import audio
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, answer
from tests.local_models import lend_weights, needs_local_models

pytestmark = needs_local_models
PATIENCE_S = 110
"""Loading three models takes seconds on an idle machine, and far more on a busy one."""
UNSET = {"chat_model": "", "transcribe_model": "", "speech_model": "", "image_model": "", "embedding_model": ""}


@pytest.fixture
async def app(make_app: MakeApp, tmp_path: Path) -> AsyncIterator[App]:
    """Parley as it starts where no model is named and no key is set."""
    lend_weights(tmp_path)
    async with make_app(**UNSET) as made:
        yield made


async def spoken(app: App, text: str) -> bytes:
    """A voice note in which the local voice says that text."""
    said = await app.runtime.models.text_to_speech().synthesize(text, language="en")
    return audio.encode_voice(np.frombuffer(said.pcm, dtype=np.int16), said.rate_hz).data


async def test_a_voice_note_is_heard_and_answered(app: App, platform: FakeAdapter) -> None:
    """Without any setting, what a voice note says reaches the local model, and its answer reaches the person."""
    await answer(app, platform, platform.commands("settings", "set temperature 0"))
    note = await spoken(app, "My favourite colour is green.")
    message = platform.says("Which colour do I name in this note?", files={"note.ogg": note})
    turn_id = (await app.accept(message)).turn_id
    await platform.until(
        lambda seen: any(one.turn_id == turn_id and one.finishes for one in seen.posts.values()), PATIENCE_S
    )
    shown = await platform.answered(turn_id)
    assert "green" in shown.text.lower()
