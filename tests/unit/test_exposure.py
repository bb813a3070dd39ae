"""`doctor` says in plain words what others on this machine can get at, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.exposure import LEAST_DESCRIPTORS, exposure
from tests.conftest import MakeApp, MakeConfig

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")


def warnings(config: Any, env_file: Path, **more: Any) -> dict[str, str]:
    """The texts by subject."""
    return {
        one.subject: one.text for one in exposure(config, env_file=env_file, **{"most_descriptors": 65_536, **more})
    }


@pytest.mark.parametrize(
    ("mode", "is_open"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o644, True)]
)
def test_files_with_keys_that_others_can_read(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, is_open: bool
) -> None:
    """`.env` and the files of `NAME_FILE`: each that group or others have a right to is named, with the command that closes it."""
    env_file, key_file = tmp_path / ".env", tmp_path / "the key"
    env_file.write_text("SLACK_BOT_TOKEN=xoxb-1\nPORT=1\n")
    key_file.write_text("sk-1")
    monkeypatch.setenv("OPENAI_API_KEY_FILE", str(key_file))
    for path in (env_file, key_file):
        path.chmod(mode)
    found = warnings(make_config(), env_file)
    assert ("keys" in found) == is_open
    assert not is_open or found["keys"].endswith(f"chmod go-rwx {env_file} '{key_file}'")


def test_files_without_keys_and_those_of_containers_are_nobody_s_business(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.env` that names no secret, one that is not there, and what a container platform lays down."""
    env_file, config = tmp_path / ".env", make_config()
    monkeypatch.setenv("OPENAI_API_KEY_FILE", "/run")
    assert warnings(config, env_file) == {}
    env_file.write_text("PORT=1\n")
    env_file.chmod(0o644)
    assert warnings(config, env_file) == {}


@pytest.mark.parametrize(("token", "is_weak"), [("", False), ("metrics", True), ("0f1e2d3c4b5a6978", False)])
def test_a_token_that_can_be_guessed(make_config: MakeConfig, tmp_path: Path, token: str, is_weak: bool) -> None:
    """A short METRICS_TOKEN shows strangers what Parley does; without one only this machine asks."""
    config = make_config(metrics_token=SecretStr(token) if token else None)
    assert ("metrics" in warnings(config, tmp_path / ".env")) == is_weak


@pytest.mark.parametrize(("most", "is_few"), [(256, True), (1_024, True), (LEAST_DESCRIPTORS, False), (65_536, False)])
def test_too_few_descriptors(make_config: MakeConfig, tmp_path: Path, most: int, is_few: bool) -> None:
    """A system that allows few open files is told of before visitors use them up, with what to set."""
    found = warnings(make_config(), tmp_path / ".env", most_descriptors=most)
    assert ("descriptors" in found) == is_few
    assert not is_few or (f"{most:,} files" in found["descriptors"] and "ulimit -n" in found["descriptors"])


async def test_doctor_shows_them(make_app: MakeApp, tmp_path: Path) -> None:
    """Among the other rows; the data folder too, if it lets others in, and nothing of this where all is closed."""
    async with make_app(metrics_token=SecretStr("short")) as app:
        assert "metrics" in [one.subject for one in await app.readiness.checked()]
        os.chmod(tmp_path, 0o755)
        [files] = [one for one in await app.readiness.checked() if one.subject == "files"]
        assert (files.level, files.setting) == ("warning", "PARLEY_HOME")
        os.chmod(tmp_path, 0o700)
    async with make_app() as app:
        subjects = {one.subject for one in await app.readiness.checked()}
    assert not subjects & {"files", "keys", "metrics"}
