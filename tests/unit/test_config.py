"""The environment is checked once, at start, and what is wrong in it is said in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import config
from bot.errors import ConfigError


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PORT", "abc", "PORT=abc: write a whole number from 0 to 65535."),
        ("LOG_LEVEL", "loud", "LOG_LEVEL=loud: write DEBUG, INFO, WARNING or ERROR."),
        ("OPENAI_API", "soap", "OPENAI_API=soap: write auto, responses or chat."),
        ("OPENAI_TIMEOUT_S", "0", "OPENAI_TIMEOUT_S=0: write a number above 0."),
        ("MAX_ATTACHMENT_MB", "0", "MAX_ATTACHMENT_MB=0: write a whole number of at least 1."),
        ("OPENAI_BASE_URL", "u:pw@host:1", "OPENAI_BASE_URL=…@host:1: write an address such as http://"),
        ("OPENAI_BASE_URL", "ftp://u:pw@host", "OPENAI_BASE_URL=ftp://…@host: write an address such as http://"),
        ("DATABASE_URL", "mysql://u:hush@h/d", "DATABASE_URL: write sqlite:///FILE or postgresql://"),
        (
            "LOCAL_CHAT_MODEL",
            "/nope.gguf",
            "LOCAL_CHAT_MODEL=/nope.gguf: there is no such file; write the path of a GGUF",
        ),
        (
            "LOCAL_CHAT_MODEL",
            "gpt",
            "LOCAL_CHAT_MODEL=gpt: write the path of a .gguf file, or a name from `parley models",
        ),
        ("LOCAL_WHISPER_MODEL", "/nope", "LOCAL_WHISPER_MODEL=/nope: there is no such folder"),
        ("LOCAL_VOICE", "/nope.onnx", "LOCAL_VOICE=/nope.onnx: there is no such file"),
        ("LOCAL_VOICE", "alloy", "LOCAL_VOICE=alloy: write one of en-US, en-GB"),
        ("CHAT_MODEL", "x" * 80, f"CHAT_MODEL={'x' * 60}…: write it as provider:model"),
    ],
)
def test_a_wrong_value_is_shown_with_what_would_be_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, says: str
) -> None:
    """One line of ours for each variable, with the value that was found there."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as raised:
        config.load(env_file=None)
    assert raised.value.text.startswith(says) and "\n" not in raised.value.text


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the password of a database nor anything else of a secret's value."""
    monkeypatch.setenv("DATABASE_URL", "mysql://u:hush@h/d")
    with pytest.raises(ConfigError) as raised:
        config.load(env_file=None)
    assert "hush" not in raised.value.text + raised.value.detail


def test_a_file_that_is_no_model_is_found_out_at_start(tmp_path: Path) -> None:
    """It has the name of one, and is not; a folder without a model is none either."""
    lie = tmp_path / "lie.gguf"
    lie.write_bytes(b"PK\x03\x04")
    with pytest.raises(ConfigError, match=r"LOCAL_CHAT_MODEL=.*is no GGUF file"):
        config.load(env_file=None, local_chat_model=str(lie))
    with pytest.raises(ConfigError, match=r"LOCAL_WHISPER_MODEL=.*holds no model\.bin"):
        config.load(env_file=None, local_whisper_model=str(tmp_path))
