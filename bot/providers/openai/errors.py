"""The SDK's errors as ours: what happened, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import openai

from bot.errors import (
    CredentialError,
    OverloadedError,
    ProviderError,
    QuotaError,
    RefusedError,
    RejectedError,
    UnreachableError,
)
from bot.providers.openai import OPENAI_HOST

BILLING = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "billing_hard_limit_reached",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
)
MODERATED = ("content_policy_violation", "moderation_blocked", "content_filter")
TOO_LONG = ("context_length_exceeded", "string_above_max_length")
PASSING = ("rate_limit_exceeded", "server_error", "overloaded", "vector_store_timeout", "")
BROKEN = (openai.OpenAIError, httpx2.HTTPError, TimeoutError, ValueError)
"""What a call of the SDK or the reading of its stream raises; ValueError is a line that is no JSON."""
KEYS = re.compile(r"\b(sk|sess|key)-[\w*-]{4,}")
FOREVER = re.compile(
    r"unsupported[ _]parameter|not supported|unknown|unrecogni[sz]ed|unexpected|not permitted|only the default",
    re.IGNORECASE,
)

NO_MONEY = "The OpenAI account is out of credit or over its spending limit. The operator has to top it up."
REFUSED = "The request was refused by the provider's content rules. Please put it differently."
FILTERED = "The provider's content filter ended the answer here."
BUSY = "The model server has too much to do right now. Please try again soon."
IN_TROUBLE = "The model server is in trouble right now. Please try again soon."
WRONG_KEY = "The key in OPENAI_API_KEY was refused. The operator has to set a valid one."
NO_PERMISSION = "The key in OPENAI_API_KEY lacks the permission for this model or endpoint."
NO_MODEL = (
    "The model server does not have that model or endpoint. The operator can name another (CHAT_MODEL and its like); "
    "`parley doctor` tells which."
)
LONG = "That is more than the model can read at once. Please send less, or begin anew with /reset."


@contextmanager
def ours() -> Iterator[None]:
    """Around calls of the SDK: its errors leave as ours."""
    try:
        yield
    except (openai.OpenAIError, httpx2.HTTPError, TimeoutError) as error:
        raise translate(error) from error


def translate(error: Exception) -> ProviderError:
    """Our error for one of the SDK or of its connection."""
    if isinstance(error, openai.APITimeoutError | TimeoutError | httpx2.TimeoutException):
        return OverloadedError("The model server did not answer in time. Please try again.", detail=_safe(repr(error)))
    if isinstance(error, openai.APIStatusError):
        return _by_status(error)
    if isinstance(error, openai.APIConnectionError | httpx2.HTTPError):
        return _unreachable(error)
    if isinstance(error, openai.APIError):
        return failed(str(error.code or ""), error.message)
    text = "The model server gave an answer that I cannot read."
    return ProviderError(text, detail=_safe(f"{type(error).__name__}: {error}"))


def _unreachable(error: openai.APIConnectionError | httpx2.HTTPError) -> OverloadedError:
    """The address, without a path or what else it may hold, and the variable that has it are for the operator, in the log."""
    try:
        url = error.request.url
        where = f"{url.scheme}://{url.host}" + (f":{url.port}" if url.port else "")
        whose = "" if url.host == OPENAI_HOST else " (OPENAI_BASE_URL)"
    except RuntimeError:  # httpx knows of none
        where = whose = ""
    detail = _safe(f"{where}{whose} {error!r} {error.__cause__!r}")
    is_down = any(isinstance(one, httpx2.ConnectError) for one in (error, error.__cause__))
    kind = UnreachableError if is_down else OverloadedError
    return kind("The model server cannot be reached. Please try again in a minute.", detail=detail.strip())


def _safe(detail: str) -> str:
    """For the log: servers like to quote the key that they refuse."""
    return KEYS.sub(r"\1-…", detail)[:1_000]


def _by_status(error: openai.APIStatusError) -> ProviderError:
    detail = _safe(f"{error.status_code} {error.code or error.type or ''} {error.message} ({error.request_id})")
    match error.status_code:
        case 401:
            return CredentialError(WRONG_KEY, detail=detail)
        case 403:
            return CredentialError(NO_PERMISSION, detail=detail)
        case 404:
            return RejectedError(NO_MODEL, param="model", detail=detail)
        case 429 if error.type in BILLING or str(error.code) in BILLING:
            return QuotaError(NO_MONEY, detail=detail)
        case 429:
            return OverloadedError(BUSY, retry_after_s=_after(error), detail=detail)
        case status if status >= 500 or status in (408, 409):
            return OverloadedError(IN_TROUBLE, retry_after_s=_after(error), detail=detail)
    return _by_content(error, detail)


def _by_content(error: openai.APIStatusError, detail: str) -> ProviderError:
    """A 400 and its like: the request was understood and is not liked."""
    code = str(error.code or "")
    if code in BILLING:
        return QuotaError(NO_MONEY, detail=detail)
    if code in MODERATED or "safety system" in error.message:
        return RefusedError(REFUSED, detail=detail)
    if code in TOO_LONG or "maximum context length" in error.message or error.status_code == 413:
        return RejectedError(LONG, param=str(error.param or ""), detail=detail)
    text = f"The model server refused the request: {_safe(error.message)[:300]}"
    return RejectedError(text, param=str(error.param or ""), detail=detail)


def _after(error: openai.APIStatusError) -> float | None:
    headers = error.response.headers
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * factor
        except (KeyError, ValueError):
            continue
    return None


def failed(code: str, message: str) -> ProviderError:
    """Our error for a failure that a stream or a socket reported."""
    detail = _safe(f"{code}: {message}")
    if code in BILLING:
        return QuotaError(NO_MONEY, detail=detail)
    if code in PASSING or code == "429" or (code.isdigit() and int(code) >= 500):
        return OverloadedError(IN_TROUBLE, detail=detail)
    if code in MODERATED:
        return RefusedError(REFUSED, detail=detail)
    if code in TOO_LONG:
        return RejectedError(LONG, param="input", detail=detail)
    if code == "model_not_found":
        return RejectedError(NO_MODEL, param="model", detail=detail)
    return ProviderError("The model could not answer this.", detail=detail)


def parameter(error: RejectedError) -> str:
    """The parameter that a 400 is about, without its path."""
    return error.param.partition(".")[0].partition("[")[0]


def is_lasting(error: RejectedError) -> bool:
    """Whether the parameter itself is turned down, rather than one value of it."""
    return bool(FOREVER.search(error.detail))
