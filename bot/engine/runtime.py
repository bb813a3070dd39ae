"""What a turn may use: the store, the platforms, the models and the clock, handed in by the composition root."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from bot.engine.byte_budget import ByteBudget
from bot.engine.deliveries import Deliveries
from bot.engine.turns_running import TurnsRunning
from bot.errors import BotError, UnavailableError
from bot.jobs import STOP_TOPIC
from bot.policy.limits import LIMITS, Limits
from bot.policy.prompts import instructions
from bot.ports import (
    Adapter,
    Bus,
    ChatModel,
    Clock,
    Embedder,
    ImageGenerator,
    Jobs,
    OcrReader,
    Provider,
    SpeechToText,
    TextToSpeech,
)
from bot.store import Store
from bot.store.blobs import TenantBlobs
from bot.types import (
    DEFAULT_SETTINGS,
    Command,
    InboundMessage,
    Modality,
    Receipt,
    Settings,
    Turn,
    Usage,
)

T = TypeVar("T")
VARIABLE: Mapping[Modality, str] = {
    "chat": "CHAT_MODEL",
    "transcribe": "TRANSCRIBE_MODEL",
    "speech": "SPEECH_MODEL",
    "image": "IMAGE_MODEL",
    "embedding": "EMBEDDING_MODEL",
}
CAPABILITY_TEXT: Mapping[Modality, str] = {
    "chat": "answer",
    "transcribe": "listen to speech",
    "speech": "speak",
    "image": "make pictures",
    "embedding": "compare texts by meaning",
}
"""What a model of each modality lets Parley do, as in "I can't … here"."""
log = logging.getLogger(__name__)


class Models:
    """The configured models, and those that a person may choose, by their names `provider:model`."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        chosen: Mapping[Modality, str],
        hints: Mapping[Modality, str] = MappingProxyType({}),
        named: Sequence[str] = (),
    ) -> None:
        """chosen: for each modality `provider:model`, or nothing when it is off. hints: how to set up a model that is off.

        named: chat models that the operator names, which people may choose too.
        """
        self._providers = providers
        self._named = named
        self.chosen = chosen
        self._hints = hints

    def name(self, modality: Modality, settings: Settings = DEFAULT_SETTINGS) -> str:
        """The model to use; raises UnavailableError when there is none, or when the settings name one that is not offered."""
        if modality == "chat" and settings.model:
            return self._offered(settings.model)
        name = self.chosen.get(modality, "")
        if not name:
            hint = self._hints.get(modality) or f"set {VARIABLE[modality]}"
            raise UnavailableError(
                f"I can't {CAPABILITY_TEXT[modality]} here: no model for it is set up. The operator can {hint}."
            )
        return name

    def _offered(self, name: str) -> str:
        """The name itself. People choose only from what is offered: a name may be a path of this machine, or cost anything."""
        available = self.available()
        if name not in available:
            raise UnavailableError(
                f"The model {name} is not offered here. You can choose {', '.join(available) or 'none'}, "
                "or reset the setting `model` to go back to the usual one."
            )
        return name

    def _split(self, name: str) -> tuple[Provider, str]:
        provider, _, model = name.partition(":")
        if provider not in self._providers:
            known = ", ".join(sorted(self._providers)) or "none"
            raise UnavailableError(
                f"The model {name} needs the provider {provider or '?'}, which is not set up (set up: {known})."
            )
        return self._providers[provider], model

    def chat(self, settings: Settings) -> ChatModel:
        """The model that answers."""
        provider, model = self._split(self.name("chat", settings))
        return provider.chat(model)

    def speech_to_text(self) -> SpeechToText:
        """The model that listens."""
        provider, model = self._split(self.name("transcribe"))
        return provider.speech_to_text(model)

    def text_to_speech(self) -> TextToSpeech:
        """The model that speaks."""
        provider, model = self._split(self.name("speech"))
        return provider.text_to_speech(model)

    def image_generator(self) -> ImageGenerator:
        """The model that makes pictures."""
        provider, model = self._split(self.name("image"))
        return provider.image_generator(model)

    def embedder(self) -> Embedder:
        """The model that turns text into vectors."""
        provider, model = self._split(self.name("embedding"))
        return provider.embedder(model)

    def ocr(self) -> OcrReader | None:
        """What reads text in pictures, if any provider here can."""
        for provider in self._providers.values():
            with suppress(UnavailableError):
                return provider.ocr()
        return None

    def available(self) -> list[str]:
        """The chat models that a person may choose: those that the providers list, and those that the operator names."""
        listed = [
            f"{name}:{model}" for name, provider in sorted(self._providers.items()) for model in provider.models()
        ]
        return list(dict.fromkeys((*listed, *self._named)))

    def price_micro_usd(self, name: str, usage: Usage) -> int | None:
        """What that usage of that model costs; None when unknown."""
        provider, model = self._split(name)
        return provider.price_micro_usd(model, usage)


class StopSignals:
    """Which turns of this process somebody asked to stop."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = {}

    def get(self, turn_id: str) -> asyncio.Event:
        """An event that is set when the turn should stop; the same one until `discard`."""
        return self._events.setdefault(turn_id, asyncio.Event())

    def set(self, turn_id: str) -> None:
        """Ask the turn to stop; nothing happens when it does not run here."""
        if event := self._events.get(turn_id):
            event.set()

    def discard(self, turn_id: str) -> None:
        """The turn has ended."""
        self._events.pop(turn_id, None)

    async def listen(self, bus: Bus) -> None:
        """Take up what processes publish about stops, until cancelled."""
        async with bus.subscribe(STOP_TOPIC) as published:
            async for message in published:
                self.set(message["turn_id"])


@dataclass
class Runtime:
    """One for a process."""

    store: Store
    bus: Bus
    clock: Clock
    jobs: Jobs
    adapters: Mapping[str, Adapter]
    models: Models
    system_prompt: str
    personas: Mapping[str, str] = field(default_factory=dict)
    """What may be chosen by `/persona`, by name."""
    max_attachment_bytes: int = 200 * 1024 * 1024
    limits: Limits = LIMITS
    """How much one question may cause."""
    stops: StopSignals = field(default_factory=StopSignals)
    byte_budget: ByteBudget = field(default_factory=ByteBudget)
    deliveries: Deliveries = field(default_factory=Deliveries)
    turns_running: TurnsRunning = field(default_factory=TurnsRunning)

    def adapter_for(self, inbound: InboundMessage | Command) -> Adapter:
        """The platform that the inbound came from; raises UnavailableError when that is not set up in this process."""
        platform = inbound.address.platform
        if platform not in self.adapters:
            raise UnavailableError(f"The platform {platform} is not set up here.")
        return self.adapters[platform]

    def prompt_for(self, settings: Settings) -> str:
        """What the model is told to be. A persona that the operator has taken away since counts as none."""
        persona = self.personas.get(settings.persona or "", "")
        return instructions(self.system_prompt, persona, settings.system_prompt or "")

    def blobs(self, turn: Turn) -> TenantBlobs:
        """The bytes of the turn's tenant."""
        return TenantBlobs(self.store, turn.tenant_id, self.limits)

    async def show_status(self, turn: Turn, receipt: Receipt, text: str) -> None:
        """Show what is being done. A platform that fails to show it does not fail the turn."""
        with suppress(BotError):
            await self.adapter_for(turn.inbound).set_status(receipt, text)


def person_hash(turn: Turn) -> str:
    """Names the person to a provider's abuse checks without telling who it is; 64 hexadecimal digits."""
    address = turn.inbound.address
    named = f"{address.platform}/{address.workspace}/{turn.requester.id}"
    return hashlib.sha256(named.encode()).hexdigest()
