"""Text to speech on this machine: SVOX Pico in process, or a Piper voice in a process of its own."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

from bot.errors import ProviderError, UnavailableError, UsageError
from bot.ports import SpeechResult
from bot.processes import child_environment
from bot.providers.local.worker import Worker
from bot.types import ModelProfile, Usage

PICO_VOICES = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")
PICO_RATE_HZ = 16_000
PAUSE = bytes(PICO_RATE_HZ // 2)
"""A quarter of a second, for a text without words."""
PIPER_TIMEOUT_S = 120.0


def pico_voice(voice: str, language: str, preferred: str = "") -> str:
    """The voice asked for; else the preferred one if it speaks the language; else the language's first; else the preferred one.

    voice: as in PICO_VOICES, in any case. Raises UsageError for an unknown one. language: ISO 639-1 or empty.
    """
    known = {name.lower(): name for name in PICO_VOICES}
    if voice:
        if found := known.get(voice.lower().replace("_", "-")):
            return found
        raise UsageError(f"There is no voice {voice!r}. Voices: {', '.join(PICO_VOICES)}.")
    first = preferred or PICO_VOICES[0]
    fitting = [name for name in (first, *PICO_VOICES) if name[:2] == language[:2].lower()]
    return fitting[0] if fitting else first


class PicoSpeaker:
    """SVOX Pico: small, at once, clear but robotic."""

    def __init__(self, worker: Worker, preferred: str = "") -> None:
        self._worker = worker
        self._preferred = preferred
        self.profile = ModelProfile(name="local:pico", is_local=True, voices=PICO_VOICES)

    async def synthesize(
        self, text: str, *, voice: str = "", instructions: str = "", language: str = ""
    ) -> SpeechResult:
        """16 kHz. Without a voice the language chooses it; instructions change nothing."""
        chosen = pico_voice(voice, language, self._preferred)
        spoken = speakable(text)
        pcm = await self._worker.run(lambda: self._speak(spoken, chosen)) if spoken else PAUSE
        if not pcm:
            raise UnavailableError(
                "The local voice cannot speak this text: it knows English, German, Spanish, French and Italian. "
                "Set SPEECH_MODEL to another voice, such as openai:gpt-4o-mini-tts."
            )
        return SpeechResult(pcm, PICO_RATE_HZ, Usage(characters=len(text)))

    def _speak(self, text: str, voice: str) -> bytes:
        engine = self._worker.resident("speak pico", _load_pico)
        return bytes(engine.speak(text, voice=voice))


def _load_pico() -> Any:
    import py_nanotts

    return py_nanotts.NanoTTS()


def speakable(text: str) -> str:
    """The text without what Pico would spell out or stumble over: markup of its own, control characters, emoji."""
    without_tags = re.sub(r"</?\w[^<>]*>|[<>]", " ", text)
    printable = "".join(char for char in without_tags if char.isprintable() or char.isspace())
    return re.sub(r"\s+", " ", re.sub(r"[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F]", " ", printable)).strip()


class PiperSpeaker:
    """A Piper voice: natural. The program is GPL-3.0, so it is run, never imported."""

    def __init__(self, name: str, path: Path) -> None:
        """path: the voice, an .onnx file with its .onnx.json beside it. Raises UnavailableError when either is missing."""
        self._path = path
        self._rate_hz = _piper_rate_hz(path)
        self.profile = ModelProfile(name=f"local:{name}", is_local=True, voices=(path.stem,))

    async def synthesize(
        self, text: str, *, voice: str = "", instructions: str = "", language: str = ""
    ) -> SpeechResult:
        """At the voice's own rate. There is one voice, for one language."""
        if voice and voice != self._path.stem:
            raise UsageError(f"There is no voice {voice!r}. Voices: {self._path.stem}.")
        used = Usage(characters=len(text))
        spoken = " ".join(text.split())
        if not spoken:
            return SpeechResult(b"", self._rate_hz, used)
        return SpeechResult(await self._run(spoken), self._rate_hz, used)

    async def _run(self, text: str) -> bytes:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "piper", "-m", str(self._path), "--output-raw")
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=child_environment()
        )
        try:
            async with asyncio.timeout(PIPER_TIMEOUT_S):
                pcm, said = await process.communicate(text.encode())
        except TimeoutError as error:
            raise ProviderError("Piper took too long to speak.") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            last = said.decode(errors="replace").strip().splitlines()[-1:]
            raise ProviderError("Piper could not speak.", detail=" ".join(last))
        return pcm


def _piper_rate_hz(path: Path) -> int:
    try:
        return int(json.loads(path.with_name(f"{path.name}.json").read_text(encoding="utf-8"))["audio"]["sample_rate"])
    except (OSError, ValueError, KeyError) as error:
        raise UnavailableError(f"{path} is no Piper voice: its settings, {path.name}.json, cannot be read.") from error
