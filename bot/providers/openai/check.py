"""What `doctor` finds out about the account: whether the key works, the models exist, and which will end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from bot.errors import BotError, CredentialError, RejectedError
from bot.providers.openai.client import Connection
from bot.providers.openai.errors import ours
from bot.providers.openai.profiles import ends
from bot.types import Diagnostic, Modality


async def check(connection: Connection, models: Mapping[Modality, str]) -> Sequence[Diagnostic]:
    """A line about the key, and one for each model that something is to be said about."""
    try:
        with ours():
            page = await connection.client.models.list()
    except BotError as error:
        return [_complaint(error), *_known_ends(models)]
    listed = {model.id: model for model in page.data}
    findings = [Diagnostic("openai", "ok", f"the key works; {len(listed)} models", "OPENAI_API_KEY")]
    return findings + [found for modality, name in models.items() if (found := _model(modality, name, listed))]


def _complaint(error: BotError) -> Diagnostic:
    if isinstance(error, CredentialError) and error.detail.startswith("403"):
        text = "the key may not list models (a restricted key), so they cannot be checked; grant it model capabilities"
        return Diagnostic("openai", "warning", text, "OPENAI_API_KEY")
    if isinstance(error, CredentialError):
        return Diagnostic("openai", "error", error.text, "OPENAI_API_KEY")
    if isinstance(error, RejectedError):
        return Diagnostic("openai", "warning", "the server does not list its models", "OPENAI_BASE_URL")
    return Diagnostic("openai", "error", error.text, "OPENAI_BASE_URL")


def _known_ends(models: Mapping[Modality, str]) -> list[Diagnostic]:
    """What can be said without the server."""
    return [_ending(name, end, modality) for modality, name in models.items() if (end := ends(name)[0])]


def _ending(name: str, end: date, modality: Modality) -> Diagnostic:
    successor = ends(name)[1]
    text = f"will be shut down on {end}" + (f"; take {successor} instead" if successor else "")
    return Diagnostic(modality, "warning", f"openai:{name} {text}", f"{modality.upper()}_MODEL")


def _model(modality: Modality, name: str, listed: Mapping[str, Any]) -> Diagnostic | None:
    variable = f"{modality.upper()}_MODEL"
    if name == "auto":
        return None
    if name not in listed:
        return Diagnostic(modality, "error", f"this account or server does not have openai:{name}", variable)
    end = _server_date(listed[name]) or ends(name)[0]
    return _ending(name, end, modality) if end else Diagnostic(modality, "ok", f"openai:{name} is available", variable)


def _server_date(model: Any) -> date | None:
    value = getattr(model, "shutdown_date", None)
    match value:
        case int() | float():
            return datetime.fromtimestamp(value, UTC).date()
        case str():
            return date.fromisoformat(value[:10])
        case date():
            return value
    return None
