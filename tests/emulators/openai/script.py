"""What a test tells the emulator to do next: answers to give and faults to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

HttpFault = Literal[
    "status",
    "rate_limit",
    "quota",
    "bad_key",
    "forbidden",
    "no_model",
    "server_error",
    "unavailable",
    "timeout",
    "disconnect",
]
"""Before any answer. status: the given one, with `error`; timeout: silence for `seconds`; disconnect: the connection is
dropped without a word."""
StreamFault = Literal["cut", "truncate", "corrupt", "stall", "failed", "error"]
"""After `after` deltas. cut: the connection drops; truncate: the stream ends without an end; corrupt: a line that is no
JSON; stall: silence for `seconds`, then on; failed and error: the events of those names, with `code`."""
HTTP_FAULTS: dict[str, tuple[int, str, str, str]] = {
    "rate_limit": (429, "requests", "rate_limit_exceeded", "Rate limit reached for this model. Please slow down."),
    "quota": (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota."),
    "bad_key": (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    "forbidden": (
        403,
        "invalid_request_error",
        "missing_scope",
        "You have insufficient permissions for this operation.",
    ),
    "no_model": (
        404,
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you do not have access.",
    ),
    "server_error": (500, "server_error", "server_error", "The server had an error while processing your request."),
    "unavailable": (503, "server_error", "overloaded", "The engine is currently overloaded."),
}
"""Status, type, code and message."""


@dataclass(frozen=True)
class Call:
    """A function that the model asks for."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a chat model says next, in the order of the fields."""

    commentary: str = ""
    """Said on the way, in the phase of that name."""
    text: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    end: Literal["completed", "max_output_tokens", "content_filter"] = "completed"


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one request."""

    kind: HttpFault | StreamFault
    path: str = ""
    """Only requests to this path, such as `/responses`; empty: any."""
    status: int = 400
    error: Mapping[str, Any] = field(default_factory=dict)
    """What the body says, over what is usual for the kind."""
    retry_after_s: float | None = None
    after: int = 2
    seconds: float = 30.0
    code: str = "server_error"

    def answer(self) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Status, body and headers."""
        status, kind, code, message = HTTP_FAULTS.get(self.kind, (self.status, "error", "", "made to fail"))
        error = {"message": message, "type": kind, "param": None, "code": code or None, **self.error}
        if self.retry_after_s is None:
            return status, {"error": error}, {}
        whole = {"retry-after": str(round(self.retry_after_s))}
        return status, {"error": error}, {**whole, "retry-after-ms": str(round(self.retry_after_s * 1000))}


class Refused(Exception):
    """The server answers with an error."""

    def __init__(
        self, message: str, param: str | None = None, *, status: int = 400, code: str | None = None, kind: str = ""
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.status, self.code = message, param, status, code
        self.kind = kind or "invalid_request_error"

    def body(self) -> dict[str, Any]:
        """The JSON of the answer."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}
