"""Checks what the operator named: files and folders are looked at once, at start. Pure, but for looking at them."""

from __future__ import annotations

from pathlib import Path

from bot.providers.local.catalogue import CATALOGUE, Purpose
from bot.providers.local.chat import is_gguf
from bot.providers.local.speak import PICO_VOICES

LIST = "a name from `parley models list`"


def check_chat(value: str) -> None:
    """A GGUF file or a name from the catalogue. Raises ValueError that says what would be right."""
    if not _is_path(value, ".gguf"):
        _check_name(value, "chat", "the path of a .gguf file")
        return
    path = _file(value, f"write the path of a GGUF file, or {LIST}")
    if not is_gguf(path):
        raise ValueError(f"the file is no GGUF file that can be read; write the path of one, or {LIST}")


def check_whisper(value: str) -> None:
    """A folder with a Whisper model in CTranslate2's form. Raises ValueError."""
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise ValueError("there is no such folder; write the path of one that holds a Whisper model")
    if not (folder / "model.bin").is_file():
        raise ValueError("the folder holds no model.bin; write the path of a Whisper model in the form of CTranslate2")


def check_voice(value: str) -> None:
    """A voice of Pico, one of the catalogue, or the file of a Piper voice. Raises ValueError."""
    if _is_path(value, ".onnx"):
        _file(value, "write the path of a Piper voice, an .onnx file")
    elif value not in PICO_VOICES:
        _check_name(value, "speech", f"one of {', '.join(PICO_VOICES)}, the path of an .onnx file")


def _is_path(value: str, extension: str) -> bool:
    return value.endswith(extension) or "/" in value or "\\" in value


def _file(value: str, otherwise: str) -> Path:
    path = Path(value).expanduser()
    if not path.is_file():
        raise ValueError(f"there is no such file; {otherwise}")
    return path


def _check_name(value: str, purpose: Purpose, otherwise: str) -> None:
    if value not in [weights.name for weights in CATALOGUE if weights.purpose == purpose]:
        raise ValueError(f"write {otherwise}, or {LIST}")
