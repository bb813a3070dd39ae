"""Which providers are on, and which model does what: the one that the operator names, or the preferred provider's default."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot import providers as folders
from bot.config import Config
from bot.engine.runtime import VARIABLE
from bot.errors import ConfigError
from bot.ports import Provider
from bot.types import MODALITIES, Modality, ModelProfile


def create_providers(config: Config) -> dict[str, Provider]:
    """Every provider that is on, by its folder's name."""
    created: dict[str, Provider] = {}
    for name, plugin in folders.plugins().items():
        is_wanted = not plugin.only_when_named or _is_named(config, name)
        if is_wanted and not plugin.missing(config):
            created[name] = plugin.create(config)
    return created


def _is_named(config: Config, provider: str) -> bool:
    named = [*(config.named_model(modality) for modality in MODALITIES), *config.operator_models()]
    return any(name.startswith(f"{provider}:") for name in named)


def choose_models(config: Config, providers: Mapping[str, Provider]) -> dict[Modality, str]:
    """For each modality its model as `provider:model`, empty when it is off. Raises ConfigError that names the variable."""
    for name in config.operator_models():
        variable = VARIABLE["chat"] if name == config.chat_model else "OFFERED_MODELS"
        _check_named(variable, name, "chat", config, providers)
    return {modality: _choose(modality, config, providers) for modality in MODALITIES}


def _choose(modality: Modality, config: Config, providers: Mapping[str, Provider]) -> str:
    named = config.named_model(modality)
    if named == "none":
        return ""
    if named:
        _check_named(VARIABLE[modality], named, modality, config, providers)
        return named
    for name in _preferred():
        if name in providers and (model := providers[name].default(modality)):
            return f"{name}:{model}"
    return ""


def _check_named(
    variable: str, named: str, modality: Modality, config: Config, providers: Mapping[str, Provider]
) -> None:
    provider, _, model = named.partition(":")
    plugin = folders.load(provider)
    if problem := plugin.validate(modality, model):
        raise ConfigError(f"{variable}={named}: {problem}.")
    if provider not in providers:
        lacking = ", ".join(plugin.missing(config)) or provider
        raise ConfigError(f"{variable}={named}: {provider} is not set up here; it needs {lacking}.")


def _preferred() -> list[str]:
    """The providers whose models are taken unasked, the preferred first."""
    plugins = folders.plugins()
    return sorted(
        (name for name in plugins if not plugins[name].only_when_named), key=lambda name: plugins[name].preference
    )


def hints(config: Config) -> dict[Modality, str]:
    """For each modality what the operator can do when it is off: what each provider knows of it, the nearest first."""
    return {modality: _hint(modality, config) for modality in MODALITIES}


def _hint(modality: Modality, config: Config) -> str:
    if config.named_model(modality) == "none":
        return f"set {VARIABLE[modality]} to a model instead of none"
    plugins = folders.plugins()
    known = (plugins[name].hint(modality, config) for name in reversed(_preferred()))
    return ", or ".join(filter(None, known))


def profile_of(providers: Mapping[str, Provider], modality: Modality, name: str) -> ModelProfile:
    """The facts about a model, by its name `provider:model`; imports its libraries. Raises UnavailableError."""
    provider, _, model = name.partition(":")
    maker = providers[provider]
    makers: Mapping[Modality, Callable[[str], Any]] = {
        "chat": maker.chat,
        "transcribe": maker.speech_to_text,
        "speech": maker.text_to_speech,
        "image": maker.image_generator,
        "embedding": maker.embedder,
    }
    profile: ModelProfile = makers[modality](model).profile
    return profile
