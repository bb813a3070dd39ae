"""What a call costs: by genai-prices, and by OpenAI's price pages where that package has no price or no right one."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from bot.providers.openai.profiles import undated
from bot.types import Usage

PER_MINUTE_USD = {
    "gpt-transcribe": 0.0045,
    "whisper-1": 0.006,
    "gpt-4o-transcribe": 0.006,
    "gpt-4o-mini-transcribe": 0.003,
}
"""Speech to text, a minute of sound."""
PER_MILLION_CHARACTERS_USD = {"tts-1": 15.0, "tts-1-hd": 30.0}
REALTIME_USD = {"gpt-realtime-2.1-mini": (0.6, 0.06, 2.4, 20.0), "gpt-realtime-2.1": (4.0, 0.4, 16.0, 64.0)}
"""Text in, cached text in, text out, sound out; a million tokens."""
IMAGE_USD = {
    "gpt-image-2": (5.0, 8.0, 30.0),
    "gpt-image-2.5-flare": (5.0, 8.0, 30.0),
    "gpt-image-1.5": (5.0, 8.0, 32.0),
    "gpt-image-1-mini": (2.0, 2.5, 8.0),
}
"""Text in, picture in, picture out; a million tokens. Source: pricing page, November 2026."""
PER_SPOKEN_MINUTE_TOKENS = 1_250
MICRO = 1_000_000


def price_micro_usd(model: str, usage: Usage, overrides: str = "") -> int | None:
    """Millionths of a US dollar, rounded up; None when nobody knows the price."""
    if (given := overridden(model, usage, overrides)) is not None:
        return given
    name = undated(model)
    if name in PER_MINUTE_USD and usage.audio_s:
        return _micro(usage.audio_s / 60 * PER_MINUTE_USD[name])
    if name in PER_MILLION_CHARACTERS_USD:
        return _micro(usage.characters / MICRO * PER_MILLION_CHARACTERS_USD[name])
    if name in REALTIME_USD:
        return _micro(_realtime(REALTIME_USD[name], usage))
    if name in IMAGE_USD:
        return _micro(_image(IMAGE_USD[name], usage))
    return _listed(model, usage)


def overridden(model: str, usage: Usage, overrides: str) -> int | None:
    """The same by OPENAI_PRICES alone, for servers that only share the names of models."""
    given = _overrides(overrides).get(model)
    if given is None:
        return None
    return _micro(usage.input_tokens * given[0] / MICRO + usage.output_tokens * given[1] / MICRO)


def _micro(usd: float) -> int:
    return math.ceil(round(usd * MICRO, 3))


@cache
def _overrides(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text) if text.strip() else {}
    return found


def _realtime(rates: tuple[float, float, float, float], usage: Usage) -> float:
    text_in, cached_in, text_out, audio_out = rates
    plain = usage.input_tokens - usage.cached_tokens
    written = usage.output_tokens - usage.audio_tokens
    return (
        plain * text_in + usage.cached_tokens * cached_in + written * text_out + usage.audio_tokens * audio_out
    ) / MICRO


def _image(rates: tuple[float, float, float], usage: Usage) -> float:
    text_in, image_in, image_out = rates
    words = usage.input_tokens - usage.input_image_tokens
    return (words * text_in + usage.input_image_tokens * image_in + usage.output_tokens * image_out) / MICRO


def _listed(model: str, usage: Usage) -> int | None:
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price

    tokens = Tokens(
        input_tokens=usage.input_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        price = calc_price(tokens, model_ref=model, provider_id="openai")
    except (LookupError, ValueError):
        return None
    total = float(price.total_price)
    if total == 0 and (usage.input_tokens or usage.output_tokens or usage.audio_s):
        return None  # the package lists the model without a price for what was used
    return _micro(total)
