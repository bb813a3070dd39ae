"""The SDK's errors as ours: what happened, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import openai

from bot.errors import (
    BotError,
    CredentialError,
    OverloadedError,
    ProviderError,
    QuotaError,
    RefusedError,
    RejectedError,
)

BILLING = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
)
MODERATED = ("content_policy_violation", "moderation_blocked", "content_filter")


@contextmanager
def ours() -> Iterator[None]:
    """Around calls of the SDK: its errors leave as ours."""
    try:
        yield
    except BotError:
        raise
    except (openai.OpenAIError, httpx2.HTTPError, TimeoutError) as error:
        raise translate(error) from error


def translate(error: Exception) -> BotError:
    """Our error for one of the SDK or of its connection."""
    if isinstance(error, openai.APITimeoutError | TimeoutError | httpx2.TimeoutException):
        return OverloadedError("The model server did not answer in time. Please try again.", detail=repr(error))
    if isinstance(error, openai.APIStatusError):
        return _by_status(error)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return OverloadedError("The model server cannot be reached. Please try again in a moment.", detail=repr(error))
    if isinstance(error, openai.APIError):
        return failed(error.code or "", error.message)
    return ProviderError(
        "The model server gave an answer that I cannot read.", detail=f"{type(error).__name__}: {error}"
    )


def _by_status(error: openai.APIStatusError) -> BotError:
    detail = f"{error.status_code} {error.code or error.type or ''} {error.message} ({error.request_id})"
    code = str(error.code or "")
    match error.status_code:
        case 401:
            return CredentialError(
                "The key in OPENAI_API_KEY was refused. The operator has to set a valid one.", detail=detail
            )
        case 403:
            return CredentialError(
                "The key in OPENAI_API_KEY lacks the permission for this model or endpoint.", detail=detail
            )
        case 404:
            return RejectedError(
                "The model server does not have that model or endpoint. `doctor` tells more.",
                param="model",
                detail=detail,
            )
        case 429 if error.type in BILLING or code in BILLING:
            return QuotaError(
                "The OpenAI account is out of credit or over its spending limit. The operator has to top it up.",
                detail=detail,
            )
        case 429:
            return OverloadedError(
                "The model server has too much to do right now. Please try again soon.",
                retry_after_s=_after(error),
                detail=detail,
            )
        case status if status >= 500 or status in (408, 409):
            return OverloadedError(
                "The model server is in trouble right now. Please try again soon.",
                retry_after_s=_after(error),
                detail=detail,
            )
    if code in MODERATED or "safety system" in error.message:
        return RefusedError(
            "The request was refused by the provider's content rules. Please put it differently.", detail=detail
        )
    return RejectedError(
        f"The model server refused the request: {error.message[:300]}", param=str(error.param or ""), detail=detail
    )


def _after(error: openai.APIStatusError) -> float | None:
    headers = error.response.headers
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * factor
        except (KeyError, ValueError):
            continue
    return None


def failed(code: str, message: str) -> BotError:
    """Our error for a failure that a stream reported."""
    detail = f"{code}: {message}"
    if code in BILLING:
        return QuotaError(
            "The OpenAI account is out of credit or over its spending limit. The operator has to top it up.",
            detail=detail,
        )
    if code in ("rate_limit_exceeded", "server_error", "overloaded", "vector_store_timeout", ""):
        return OverloadedError("The model server is in trouble right now. Please try again soon.", detail=detail)
    if code in MODERATED:
        return RefusedError(
            "The request was refused by the provider's content rules. Please put it differently.", detail=detail
        )
    return ProviderError("The model could not answer this.", detail=detail)


def parameter(error: RejectedError) -> str:
    """The parameter that a 400 is about, without its path."""
    return error.param.partition(".")[0].partition("[")[0]


def as_text(value: Any) -> str:
    """A value for a log line."""
    return str(value)[:500]
