"""People choose among the models that the operator offers, and files of this machine are the operator's to name."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from bot.app import App
from bot.providers.local import RUNTIMES
from bot.types import Settings
from tests.conftest import MakeApp
from tests.fakes import ANN, HERE, FakeAdapter, answer

FIND_SPEC = importlib.util.find_spec


@pytest.fixture(autouse=True)
def _runtimes_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the local runtimes were there, so that the local provider is on; nothing of them is called."""
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: name if name in RUNTIMES else FIND_SPEC(name, *rest)
    )


@pytest.fixture
def own_model(tmp_path: Path) -> Path:
    """The operator's model file."""
    path = tmp_path / "own-7b.gguf"
    path.write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(100))
    return path


async def say(app: App, platform: FakeAdapter, text: str) -> str:
    """What Parley answers."""
    return (await answer(app, platform, platform.says(text))).text


async def effective(app: App) -> Settings:
    """What holds for Ann here."""
    return await app.host.settings.effective(HERE, ANN.id)


@pytest.mark.parametrize("name", ["secret.gguf", "nothing-there.gguf"])
async def test_a_file_of_this_machine_cannot_be_chosen(
    app: App, platform: FakeAdapter, tmp_path: Path, name: str
) -> None:
    """Neither is it loaded, nor does the refusal tell whether it is there; the models on offer are named."""
    (tmp_path / "secret.gguf").write_bytes(b"GGUF\x03\x00\x00\x00" + bytes(100))
    refusal = await say(app, platform, f"/settings set model local:{tmp_path / name} for channel")
    assert refusal.startswith(f"The model local:{tmp_path / name} is not offered here. You can choose echo:echo, ")
    assert "no file" not in refusal and (await effective(app)).model is None


async def test_a_model_that_nobody_offers_is_refused(app: App, platform: FakeAdapter) -> None:
    """The same for any other name; what is offered can be chosen."""
    assert "is not offered here" in await say(app, platform, "/settings set model echo:echo-gigantic")
    assert (await effective(app)).model is None
    await say(app, platform, "/settings set model echo:echo-unpriced")
    assert (await effective(app)).model == "echo:echo-unpriced"


async def test_the_operator_offers_further_models(make_app: MakeApp, platform: FakeAdapter, own_model: Path) -> None:
    """OFFERED_MODELS may name a file, which people then choose by that name."""
    offered = f"local:{own_model}, echo:echo-blind"
    async with make_app(offered_models=offered) as app:
        assert f"local:{own_model}" in app.host.chat_models()
        await say(app, platform, f"/settings set model local:{own_model}")
        assert (await effective(app)).model == f"local:{own_model}"


async def test_a_choice_that_is_no_longer_offered_does_not_answer(
    make_app: MakeApp, platform: FakeAdapter, own_model: Path
) -> None:
    """What was chosen before the operator took it away is refused with the way back, not loaded."""
    async with make_app(offered_models=f"local:{own_model}") as app:
        await say(app, platform, f"/settings set model local:{own_model}")
    async with make_app() as app:
        assert "is not offered here" in await say(app, platform, "hello")
        await say(app, platform, "/settings reset model")
        assert (await say(app, platform, "hello again")).startswith("You said: hello again")
