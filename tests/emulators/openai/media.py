"""Pictures, speech, transcripts and vectors: small, real and the same every time."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, UnidentifiedImageError

from tests.emulators.openai.script import Refused

Json = dict[str, Any]
RATE_HZ = 24_000
S_PER_CHARACTER = 0.06
VOICES = [
    "alloy",
    "ash",
    "ballad",
    "coral",
    "echo",
    "fable",
    "onyx",
    "nova",
    "sage",
    "shimmer",
    "verse",
    "marin",
    "cedar",
]
CLASSIC_SIZES = ("1024x1024", "1536x1024", "1024x1536", "auto")
ANY_SIZE = ("gpt-image-2",)
FINE_QUALITIES = ("gpt-image-2.5", "gpt-image-2.6")
FORBIDDEN = "forbidden"
"""A prompt with this word is refused by moderation."""
GENERATE = frozenset(
    (
        "background",
        "model",
        "moderation",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "prompt",
        "quality",
        "safety_identifier",
        "size",
        "stream",
        "user",
    )
)
EDIT = GENERATE | {"image", "input_fidelity", "mask"}
TRANSCRIBE = frozenset(
    (
        "chunking_strategy",
        "file",
        "include",
        "keywords",
        "known_speaker_names",
        "known_speaker_references",
        "language",
        "languages",
        "model",
        "prompt",
        "response_format",
        "stream",
        "temperature",
        "timestamp_granularities",
    )
)
SPEAK = frozenset(
    (
        "input",
        "instructions",
        "model",
        "response_format",
        "speed",
        "stream_format",
        "voice",
    )
)
EMBED = frozenset(
    (
        "dimensions",
        "encoding_format",
        "input",
        "model",
        "user",
    )
)
EXTENSIONS = ("flac", "mp3", "mp4", "mpeg", "mpga", "m4a", "ogg", "wav", "webm")
MAX_UPLOAD_BYTES = 25 * 1024 * 1024
MAX_TRANSCRIBED_S = 1_400.0
DIMENSIONS = {"text-embedding-3-small": 1_536, "text-embedding-3-large": 3_072, "text-embedding-ada-002": 1_536}
MIME = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}


# --- Pictures --------------------------------------------------------------------------------------------------------


def pictures(body: Mapping[str, Any], sources: Sequence[bytes] = ()) -> Json:
    """The answer of both image endpoints: PNGs of the size asked for, in a colour that follows from the prompt."""
    prompt, model, count = str(body.get("prompt", "")), str(body["model"]), int(body.get("n") or 1)
    if FORBIDDEN in prompt:
        message = "Your request was rejected by the safety system."
        raise Refused(message, code="moderation_blocked", kind="image_generation_user_error")
    if not 1 <= count <= 10:
        raise Refused("Invalid 'n': must be between 1 and 10.", "n")
    if not prompt or len(prompt) > 32_000:
        raise Refused("Invalid 'prompt': must have 1 to 32000 characters.", "prompt")
    width, height = _size(model, str(body.get("size") or "auto"))
    quality = _quality(model, str(body.get("quality") or "auto"))
    drawn = [base64.b64encode(draw(f"{prompt}#{n}", width, height)).decode() for n in range(count)]
    asked, made = len(prompt) // 4 + 1, count * 272
    seen = 100 * len(sources)
    return {
        "created": int(time.time()),
        "data": [{"b64_json": one} for one in drawn],
        "background": "opaque",
        "output_format": "png",
        "quality": quality,
        "size": f"{width}x{height}",
        "usage": {
            "input_tokens": asked + seen,
            "input_tokens_details": {"text_tokens": asked, "image_tokens": seen},
            "output_tokens": made,
            "total_tokens": asked + seen + made,
        },
    }


def _size(model: str, size: str) -> tuple[int, int]:
    if not model.startswith(ANY_SIZE) and size not in CLASSIC_SIZES:
        raise Refused(f"Invalid value: '{size}'.", "size", code="invalid_value")
    if size == "auto":
        return 1024, 1024
    found = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    if not found or width % 16 or height % 16 or not 1 / 3 <= width / height <= 3 or max(width, height) > 3840:
        raise Refused(f"Invalid size '{size}'.", "size", code="invalid_value")
    return width, height


def _quality(model: str, quality: str) -> str:
    allowed = ["low", "medium", "high", "auto", *(["xhigh", "max"] if model.startswith(FINE_QUALITIES) else [])]
    if quality not in allowed:
        raise Refused(f"Invalid value: '{quality}'.", "quality", code="invalid_value")
    return "medium" if quality == "auto" else quality


def draw(prompt: str, width: int, height: int) -> bytes:
    """A PNG with a disc in it."""
    digest = hashlib.sha256(prompt.encode()).digest()
    image = Image.new("RGB", (width, height), tuple(digest[:3]))
    side = min(width, height) // 2
    left, top = (width - side) // 2, (height - side) // 2
    ImageDraw.Draw(image).ellipse((left, top, left + side, top + side), fill=tuple(digest[3:6]))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def is_picture(data: bytes) -> bool:
    """Whether it is a PNG, a WebP or a JPEG."""
    try:
        return Image.open(io.BytesIO(data)).format in ("PNG", "WEBP", "JPEG")
    except UnidentifiedImageError:
        return False


# --- Speech ----------------------------------------------------------------------------------------------------------


def tone(text: str) -> NDArray[np.int16]:
    """Sound whose length follows from the text: 24 kHz, mono."""
    count = int(max(len(text), 5) * S_PER_CHARACTER * RATE_HZ)
    wave = np.sin(2 * np.pi * 220 * np.arange(count) / RATE_HZ)
    return (wave * 8_000).astype(np.int16)


def speech(body: Mapping[str, Any]) -> tuple[bytes, str]:
    """The sound and its media type."""
    text, voice = str(body.get("input", "")), body.get("voice")
    if not text or len(text) > 4_096:
        raise Refused("Invalid 'input': must have 1 to 4096 characters.", "input", code="string_above_max_length")
    if not isinstance(voice, dict) and voice not in VOICES:
        raise Refused(f"Invalid value: '{voice}'.", "voice", code="invalid_value")
    if body.get("instructions") and str(body["model"]).startswith("tts-1"):
        raise Refused("'instructions' is not supported with this model.", "instructions")
    kind = str(body.get("response_format") or "mp3")
    if kind not in MIME:
        raise Refused(f"Invalid value: '{kind}'.", "response_format", code="invalid_value")
    return _encoded(tone(text), kind), MIME[kind]


def _encoded(pcm: NDArray[np.int16], kind: str) -> bytes:
    if kind == "pcm":
        return pcm.tobytes()
    container, codec, rate = {
        "mp3": ("mp3", "libmp3lame", RATE_HZ),
        "opus": ("ogg", "libopus", 48_000),
        "aac": ("adts", "aac", RATE_HZ),
        "flac": ("flac", "flac", RATE_HZ),
        "wav": ("wav", "pcm_s16le", RATE_HZ),
    }[kind]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=rate, layout="mono")
        context = stream.codec_context
        resampler = av.AudioResampler(context.format, "mono", rate, frame_size=context.frame_size or None)
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        for made in (*resampler.resample(frame), *resampler.resample(None)):
            output.mux(stream.encode(made))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def length_s(data: bytes) -> float:
    """How long a recording is; refuses what is none."""
    try:
        with av.open(io.BytesIO(data), "r") as container:
            stream = container.streams.audio[0]
            if stream.duration and stream.time_base:
                return float(stream.duration * stream.time_base)
            return float(sum(frame.samples / frame.sample_rate for frame in container.decode(stream)))
    except (av.error.FFmpegError, IndexError, ValueError) as error:
        raise Refused("Audio file might be corrupted or unsupported.", "file", code="invalid_value") from error


def transcript(form: Mapping[str, Sequence[str]], name: str, data: bytes, text: str | None) -> Json | str:
    """The answer of the transcription endpoint; without a text, it says how long it listened."""
    model = form["model"][0]
    if name.rpartition(".")[2].lower() not in EXTENSIONS:
        raise Refused(f"Invalid file format. Supported formats: {list(EXTENSIONS)}", "file")
    if len(data) > MAX_UPLOAD_BYTES:
        raise Refused("Maximum content size limit (26214400) exceeded.", status=413)
    seconds = length_s(data)
    kind = (form.get("response_format") or ["json"])[0]
    _transcription_fits(model, kind, seconds, form)
    text = text if text is not None else f"heard {seconds:.0f} seconds"
    if kind == "text":
        return text
    halves = _halves(text, seconds)
    if kind == "verbose_json":
        segments = [
            {"id": n, "start": a, "end": b, "text": f" {said}", **SEGMENT} for n, (a, b, said) in enumerate(halves)
        ]
        usage = {"type": "duration", "seconds": round(seconds)}
        shape = {"task": "transcribe", "language": "english", "duration": seconds}
        return {**shape, "text": text, "segments": segments, "usage": usage}
    sound, words = int(seconds * 10), len(text.split())
    usage = {
        "type": "tokens",
        "input_tokens": sound,
        "input_token_details": {"text_tokens": 0, "audio_tokens": sound},
        "output_tokens": words,
        "total_tokens": sound + words,
    }
    if kind == "diarized_json":
        segments = [
            {
                "type": "transcript.text.segment",
                "id": f"seg_{n}",
                "start": a,
                "end": b,
                "text": said,
                "speaker": "AB"[n % 2],
            }
            for n, (a, b, said) in enumerate(halves)
        ]
        return {"task": "transcribe", "duration": seconds, "text": text, "segments": segments, "usage": usage}
    if model == "gpt-transcribe":
        return {"text": text, "languages": [{"code": "en"}], "usage": usage}
    return {"text": text, "usage": usage}


SEGMENT = {
    "seek": 0,
    "tokens": [1],
    "temperature": 0.0,
    "avg_logprob": -0.2,
    "compression_ratio": 1.0,
    "no_speech_prob": 0.01,
}


def _halves(text: str, seconds: float) -> list[tuple[float, float, str]]:
    words = text.split()
    middle = (len(words) + 1) // 2
    parts = [part for part in (" ".join(words[:middle]), " ".join(words[middle:])) if part]
    return [(n * seconds / len(parts), (n + 1) * seconds / len(parts), part) for n, part in enumerate(parts)]


def _transcription_fits(model: str, kind: str, seconds: float, form: Mapping[str, Sequence[str]]) -> None:
    if kind in ("verbose_json", "srt", "vtt") and model != "whisper-1":
        raise Refused(f"response_format '{kind}' is not compatible with model '{model}'.", "response_format")
    if kind == "diarized_json" and not model.endswith("diarize"):
        raise Refused(f"response_format '{kind}' is not compatible with model '{model}'.", "response_format")
    if model.startswith("gpt-4o") and seconds > MAX_TRANSCRIBED_S:
        raise Refused(f"audio duration {seconds} seconds is longer than 1400 seconds which is the maximum.", "file")
    if model.endswith("diarize") and seconds > 30 and "chunking_strategy" not in form:
        raise Refused("chunking_strategy is required for diarization models.", "chunking_strategy")
    if model.endswith("diarize") and "prompt" in form:
        raise Refused("Prompt is not supported for diarization models.", "prompt")
    for name in ("languages", "languages[]", "keywords", "keywords[]"):
        if name in form and model != "gpt-transcribe":
            raise Refused(f"'{name}' is only supported with gpt-transcribe.", name)
    if "timestamp_granularities[]" in form and kind != "verbose_json":
        raise Refused("timestamp_granularities needs verbose_json.", "timestamp_granularities")


# --- Vectors ---------------------------------------------------------------------------------------------------------


def embeddings(body: Mapping[str, Any]) -> Json:
    """Vectors in which texts that share words are near."""
    texts = [body["input"]] if isinstance(body["input"], str) else list(body["input"])
    model = str(body["model"])
    if not texts or len(texts) > 2_048:
        raise Refused("Invalid 'input': must have 1 to 2048 elements.", "input", code="array_above_max_length")
    counts = [_tokens(text) for text in texts]
    if not all(counts):
        raise Refused("Invalid 'input': input cannot be an empty string.", "input")
    if max(counts) > 8_192:
        raise Refused(f"This model's maximum context length is 8192 tokens, you asked for {max(counts)}.", "input")
    if sum(counts) > 300_000:
        raise Refused(
            f"Requested {sum(counts)} tokens, max 300000 tokens per request.", "input", code="max_tokens_per_request"
        )
    size = int(body.get("dimensions") or DIMENSIONS.get(model, 64))
    made = [vector(text, size) for text in texts]
    is_packed = body.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": n,
            "embedding": base64.b64encode(one.tobytes()).decode() if is_packed else one.tolist(),
        }
        for n, one in enumerate(made)
    ]
    used = {"prompt_tokens": sum(counts), "total_tokens": sum(counts)}
    return {"object": "list", "data": data, "model": model, "usage": used}


def _tokens(text: str) -> int:
    """A token for each short word, more for long words and other scripts."""
    return sum(-(-len(word.encode()) // 6) for word in text.split()) or bool(text)


def vector(text: str, size: int) -> NDArray[np.float32]:
    """The sum of what its words point to, at length 1."""
    words = re.findall(r"\w+", text.lower()) or [text]
    total = sum((count * _direction(word, size) for word, count in Counter(words).items()), np.zeros(size))
    return (total / np.linalg.norm(total)).astype(np.float32)


@cache
def _direction(word: str, size: int) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(size)


def moderation(body: Mapping[str, Any]) -> Json:
    """Flags the forbidden word."""
    asked = body["input"]
    texts = (
        [asked] if isinstance(asked, str) else [one if isinstance(one, str) else one.get("text", "") for one in asked]
    )
    flagged = any(FORBIDDEN in text for text in texts)
    names = ["harassment", "hate", "illicit", "self-harm", "sexual", "violence"]
    result = {
        "flagged": flagged,
        "categories": {name: flagged and name == "violence" for name in names},
        "category_scores": {name: 0.9 if flagged and name == "violence" else 0.01 for name in names},
        "category_applied_input_types": {name: ["text"] for name in names},
    }
    return {"id": "modr-1", "model": body.get("model", "omni-moderation-latest"), "results": [result]}
