"""Local: models that run on this machine, without a key and without the network."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from bot.errors import BotError, UnavailableError
from bot.ports.plugins import FolderOptions, ProviderPlugin
from bot.types import Diagnostic, Modality, Usage

if TYPE_CHECKING:
    from bot.ports import ChatModel, Embedder, ImageGenerator, OcrReader, SpeechToText, TextToSpeech
    from bot.providers.local.weights import Library

RUNTIMES = ("faster_whisper", "xllamacpp", "onnxruntime", "tokenizers", "rapidocr")
"""The modules of the extra `local`."""
VOICE = "py_nanotts"
"""Another one of it, apart because it has no build for some Macs, which then only lack the voice."""
INSTALL = "pip install 'parley-bot[local]'"
NO_PAINTER = (
    "No image generator runs on this machine. Set IMAGE_MODEL to a provider that makes pictures, "
    "such as openai:gpt-image-2."
)


class Options(FolderOptions):
    """What an installation can set about its own models."""

    local_chat_model: str = Field(
        "", description="Path of any GGUF file that answers, or a name from `parley models list`."
    )
    local_context_tokens: int = Field(
        4096, ge=512, description="How much the local chat model reads at once; more takes more memory."
    )
    local_threads: int = Field(
        0, ge=0, description="Threads that the local chat model answers with; 0 is one less than there are cores."
    )
    local_idle_minutes: float = Field(
        15.0, ge=0, description="A local model that was not used for so long leaves memory; 0 keeps it."
    )
    local_voice: str = Field(
        "",
        description="Voice of the local speech: `en-US`, `en-GB`, `de-DE`, `es-ES`, `fr-FR`, `it-IT`, or a Piper voice: "
        "`piper-joe` or the path of its .onnx file (needs the extra `local-voice-natural`).",
    )
    local_whisper_model: str = Field(
        "", description="Folder of another Whisper model, in the form of CTranslate2. Unset: Whisper base."
    )
    hf_endpoint: str = Field(
        "https://huggingface.co", description="Hub that model weights come from first; a mirror may stand here."
    )

    @field_validator("local_chat_model", "local_whisper_model", "local_voice")
    @classmethod
    def _is_there(cls, value: str, field: ValidationInfo) -> str:
        from bot.providers.local import chosen

        check = {"local_chat_model": chosen.check_chat, "local_whisper_model": chosen.check_whisper}
        if value:
            check.get(str(field.field_name), chosen.check_voice)(value)
        return value


def missing(options: Options) -> tuple[str, ...]:
    """What to do before this provider is on; it asks for no variable, only for its runtimes."""
    return () if all(importlib.util.find_spec(name) for name in RUNTIMES) else (INSTALL,)


def hint(modality: Modality, options: Options) -> str:
    """What brings a model of this modality that is off, for whoever runs the installation; empty when nothing does."""
    if modality == "image":
        return ""
    needed = (VOICE,) if modality == "speech" else RUNTIMES
    is_installed = all(importlib.util.find_spec(name) for name in needed)
    pull = "" if modality == "speech" else "run `parley models pull`"
    return " and ".join(filter(None, ("" if is_installed else INSTALL, pull)))


def validate(modality: Modality, model: str) -> str:
    """What is wrong with a model that the operator named; empty when nothing is, or when it is only not pulled yet."""
    from bot.providers.local import chosen

    try:
        if modality == "chat" and (model.endswith(".gguf") or "/" in model):
            chosen.check_chat(model)
        elif modality == "speech" and model.endswith(".onnx"):
            chosen.check_voice(model)
    except ValueError as error:
        return str(error)
    return ""


def create(options: Options) -> LocalProvider:
    """Make the provider. No model is loaded before it is used."""
    return LocalProvider(options)


def library(options: Options) -> Library:
    """The folder of weights, `models` in PARLEY_HOME: for `parley models pull` and `list`."""
    from bot.providers.local.weights import Library

    return Library(Path(options.parley_home).expanduser() / "models", hub=options.hf_endpoint)


class LocalProvider:
    """All models share one worker thread. A maker needs the weights to be here; the model is loaded at its first use."""

    name = "local"

    def __init__(self, options: Options) -> None:
        from bot.providers.local.worker import Worker

        self._options = options
        self.library = library(options)
        self.worker = Worker(options.local_idle_minutes * 60 or None)

    def chat(self, model: str) -> ChatModel:
        """A GGUF model: a name from the catalogue, the file of LOCAL_CHAT_MODEL, or the path of any other."""
        _need("xllamacpp")
        from bot.providers.local.chat import LocalChat, Tuning

        threads = self._options.local_threads or max(1, (os.cpu_count() or 1) - 1)
        tuning = Tuning(threads, self._options.local_context_tokens)
        return LocalChat(model, self._chat_file(model), self.worker, tuning)

    def speech_to_text(self, model: str) -> SpeechToText:
        """Whisper: a name from the catalogue, or the folder of LOCAL_WHISPER_MODEL."""
        _need("faster_whisper")
        from bot.providers.local.transcribe import LocalTranscriber

        own = _as_path(self._options.local_whisper_model)
        folder = own if own and model == own.name else self.library.path(model)
        return LocalTranscriber(model, folder, self.worker)

    def text_to_speech(self, model: str) -> TextToSpeech:
        """`pico`, `piper-joe`, or the path of a Piper voice."""
        from bot.providers.local.speak import PicoSpeaker, PiperSpeaker

        if model == "pico":
            _need(VOICE)
            voice = self._options.local_voice
            return PicoSpeaker(self.worker, "" if _is_piper(voice) else voice)
        _need("piper", "pip install 'parley-bot[local-voice-natural]'")
        path = Path(model) if model.endswith(".onnx") else self.library.file(model)
        return PiperSpeaker(model, path)

    def image_generator(self, model: str) -> ImageGenerator:
        """There is none."""
        raise UnavailableError(NO_PAINTER)

    def embedder(self, model: str) -> Embedder:
        """MiniLM."""
        _need("onnxruntime")
        from bot.providers.local.embed import LocalEmbedder

        return LocalEmbedder(model, self.library.path(model), self.worker)

    def ocr(self) -> OcrReader:
        """PP-OCR; its weights are part of the runtime."""
        _need("rapidocr")
        from bot.providers.local.read_text import LocalTextReader

        return LocalTextReader(self.worker)

    def default(self, modality: Modality) -> str:
        """The model that is set, or the best that is here; none otherwise, so that it shows as off with what brings it.

        Only chat is named before it is here: a Parley that cannot answer is broken, not switched off.
        """
        match modality:
            case "chat":
                return self._own_chat_name() or self._best("chat", "qwen2.5-coder-0.5b-instruct")
            case "transcribe":
                own = _as_path(self._options.local_whisper_model)
                return own.name if own else self._best("transcribe")
            case "speech":
                voice = self._options.local_voice
                return voice if _is_piper(voice) else "pico" if importlib.util.find_spec(VOICE) else ""
            case "embedding":
                return self._best("embedding")
        return ""

    def models(self) -> Sequence[str]:
        """The chat models that are here, the default first."""
        here = [weights.name for weights in self.library.present("chat")]
        return list(dict.fromkeys([*filter(None, [self._own_chat_name()]), *here]))

    def price_micro_usd(self, model: str, usage: Usage) -> int | None:
        """Nothing."""
        return 0

    async def check(self, models: Mapping[Modality, str]) -> Sequence[Diagnostic]:
        """For each model: whether its runtime and its weights are here, and the weights what was published."""
        return [await asyncio.to_thread(self._finding, modality, model) for modality, model in models.items()]

    async def unload(self) -> None:
        """Drop every model from memory."""
        await self.worker.unload()

    async def close(self) -> None:
        """Stop what runs and drop every model."""
        await self.worker.close()

    def _own_chat_name(self) -> str:
        """How LOCAL_CHAT_MODEL is called: a file by its stem, as a path would not fit a menu."""
        own = self._options.local_chat_model
        return Path(own).stem if own.endswith(".gguf") else own

    def _chat_file(self, model: str) -> Path:
        own = self._options.local_chat_model
        if own.endswith(".gguf") and model == self._own_chat_name():
            return _gguf(own, "LOCAL_CHAT_MODEL")
        if not model.endswith(".gguf"):
            return self.library.file(model)
        if f"local:{model}" not in self._options.operator_models():
            raise UnavailableError("Only the operator can name a model file, by CHAT_MODEL or OFFERED_MODELS.")
        return _gguf(model, "CHAT_MODEL or OFFERED_MODELS")

    def _best(self, purpose: Literal["chat", "transcribe", "embedding"], otherwise: str = "") -> str:
        return next((weights.name for weights in self.library.present(purpose)), otherwise)

    def _finding(self, modality: Modality, model: str) -> Diagnostic:
        makers = {
            "chat": self.chat,
            "transcribe": self.speech_to_text,
            "speech": self.text_to_speech,
            "image": self.image_generator,
            "embedding": self.embedder,
        }
        variable = f"{modality.upper()}_MODEL"
        try:
            makers[modality](model)
        except BotError as error:
            return Diagnostic(modality, "error", f"local:{model}: {error.text}", variable)
        if complaints := self.library.verify(model):
            text = f"local:{model}: {'; '.join(complaints)}: delete it and run `parley models pull`"
            return Diagnostic(modality, "error", text, variable)
        return Diagnostic(modality, "ok", f"local:{model} runs on this machine", variable)


def _need(module: str, install: str = INSTALL) -> None:
    if importlib.util.find_spec(module) is None:
        raise UnavailableError(f"{module} is not installed: {install}. Or set OPENAI_API_KEY to use OpenAI's models.")


def _as_path(text: str) -> Path | None:
    return Path(text).expanduser() if text else None


def _is_piper(voice: str) -> bool:
    return voice.endswith(".onnx") or voice.startswith("piper-")


def _gguf(text: str, variable: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_file():
        raise UnavailableError(f"{variable} names a file that is not there.", detail=str(path))
    return path


PLUGIN = ProviderPlugin(
    options=Options,
    create=create,
    missing=missing,
    hint=hint,
    validate=validate,
    weights=library,
    preference=20,
)
