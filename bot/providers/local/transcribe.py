"""Speech to text in this process, by Whisper on CTranslate2."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from bot.errors import UnavailableError
from bot.ports import TranscriptionResult
from bot.providers.local.worker import Emit, Stopped, Worker
from bot.types import ModelProfile, Segment, Transcript, Usage

RATE_HZ = 16_000
"""What Whisper hears."""


class LocalTranscriber:
    """Whisper. A segment at a time, so that other models come between and a long recording can be given up."""

    def __init__(self, name: str, folder: Path, worker: Worker) -> None:
        self._folder = folder
        self._worker = worker
        self.profile = ModelProfile(name=f"local:{name}", is_local=True)

    async def transcribe(self, data: bytes, name: str, *, language: str = "", prompt: str = "") -> TranscriptionResult:
        """The words with their times; silence gives an empty text. Raises UnreadableError for what is no sound."""
        from bot.media import apart, audio

        samples = await apart.SOUNDS.run(name, audio.decode, data, rate_hz=RATE_HZ)
        duration_s = len(samples) / RATE_HZ
        if not len(samples):
            return TranscriptionResult(Transcript(""), Usage())
        segments: list[Segment] = []
        found = language

        def work(emit: Emit[Segment | str], stopped: Stopped) -> Iterator[None]:
            return self._work(samples, language, prompt, emit, stopped)

        async with aclosing(self._worker.stream(work)) as heard:
            async for item in heard:
                if isinstance(item, str):
                    found = item
                else:
                    segments.append(item)
        text = " ".join(segment.text for segment in segments)
        transcript = Transcript(text, found if text else "", duration_s, tuple(segments))
        return TranscriptionResult(transcript, Usage(audio_s=duration_s))

    def _work(
        self, samples: Any, language: str, prompt: str, emit: Emit[Segment | str], stopped: Stopped
    ) -> Iterator[None]:
        """Emits the language, then the segments; they are recognized only as they are asked for."""
        import numpy as np

        model = self._worker.resident(f"transcribe {self._folder}", lambda: load(self._folder))
        yield
        segments, info = model.transcribe(
            samples.astype(np.float32) / 32_768,
            beam_size=1,
            vad_filter=True,
            language=language if language in model.supported_languages else None,
            initial_prompt=prompt or None,
        )
        emit(str(info.language))
        for segment in segments:
            if stopped():
                return
            emit(Segment(segment.start, segment.end, segment.text.strip()))
            yield


def load(folder: Path) -> Any:
    """Load Whisper from a folder in CTranslate2's form, in 8 bits: a second, 330 MB. Raises UnavailableError."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder is all it may look at
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=os.cpu_count() or 1)
    except (RuntimeError, ValueError, OSError) as error:
        raise UnavailableError(
            f"{folder} holds no speech model that can be loaded: {error}. Set LOCAL_WHISPER_MODEL to a folder with a Whisper "
            "model in CTranslate2's form, or unset it."
        ) from error
