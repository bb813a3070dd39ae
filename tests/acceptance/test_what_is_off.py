"""What is off is shown with what brings it, in this installation and not in another one."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app import App
from bot.types import Diagnostic
from tests.conftest import MakeConfig
from tests.emulators.openai import KEY, OpenAIEmulator
from tests.fakes import PLATFORM, FakeAdapter, FakeClock, answer

NAMED_BY_NOBODY = {f"{name}_model": "" for name in ("chat", "transcribe", "speech", "image", "embedding")}


def _app(config: Any, platform: FakeAdapter, clock: FakeClock) -> App:
    return App(config, only=(), clock=clock, durable=False, more={PLATFORM: platform})


def _rows(findings: list[Diagnostic]) -> dict[str, Diagnostic]:
    return {one.subject: one for one in findings}


async def test_with_a_key_and_another_server_a_picture_needs_its_model_named(
    make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock
) -> None:
    """Nobody is sent to set the key that is set: `/imagine` and the table name IMAGE_MODEL."""
    async with OpenAIEmulator() as server:
        config = make_config(**NAMED_BY_NOBODY, openai_base_url=server.base_url, openai_api_key=KEY)
        async with _app(config, platform, clock).running() as app:
            image = _rows(app.readiness.diagnostics())["image"]
            drawn = await answer(app, platform, platform.commands("imagine", "a lighthouse"))
    assert (image.level, image.text) == ("off", "cannot make pictures: set IMAGE_MODEL, such as openai:gpt-image-2")
    assert "IMAGE_MODEL" in drawn.text and "OPENAI_API_KEY" not in drawn.text


async def test_local_models_that_are_not_here_are_off_beside_another_server(
    make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock
) -> None:
    """What nobody asked for is off, with both ways to it, and nothing of it is broken."""
    async with OpenAIEmulator() as server:
        config = make_config(**NAMED_BY_NOBODY, openai_base_url=server.base_url, openai_api_key=KEY)
        async with _app(config, platform, clock).running() as app:
            rows = _rows(await app.readiness.checked())
    for modality, way in (
        ("transcribe", "TRANSCRIBE_MODEL, such as openai:whisper-1"),
        ("embedding", "EMBEDDING_MODEL"),
    ):
        assert rows[modality].level == "off" and "`parley models pull`" in rows[modality].text
        assert way in rows[modality].text
    assert not [one for one in rows.values() if one.level == "error"]


@pytest.mark.parametrize("named", ["none", ""])
async def test_without_anything_the_key_is_the_way(
    make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock, named: str
) -> None:
    """A picture model that was switched off can be switched on again; one that nobody named comes with a key."""
    async with _app(make_config(image_model=named), platform, clock).running() as app:
        text = _rows(app.readiness.diagnostics())["image"].text
    expected = "set IMAGE_MODEL to a model instead of none" if named else "set OPENAI_API_KEY or IMAGE_MODEL"
    assert text == f"cannot make pictures: {expected}"


async def test_a_server_that_is_gone_is_named(
    make_config: MakeConfig, platform: FakeAdapter, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator reads its address in the log, without what is secret in it, and the variable; people read that it is away.

    While one waits, a retry shows.
    """
    named = {**NAMED_BY_NOBODY, "embedding_model": "none"}
    config = make_config(**named, openai_base_url="http://ann:hush@127.0.0.1:9/v1", openai_api_key=KEY)
    async with _app(config, platform, clock).running() as app:
        shown = await answer(app, platform, platform.says("hello"))
    assert shown.text.startswith("The model server cannot be reached. ")
    assert shown.statuses[0] == "The model server cannot be reached; trying again…"
    assert "http://127.0.0.1:9 (OPENAI_BASE_URL)" in caplog.text
    assert "hush" not in shown.text + "".join(shown.statuses) + caplog.text
