"""Every failure that may reach a person, as one tree.

    BotError                     code, text for the person, retryable, retry_after_s
    ├── ConfigError              a setting of the environment is missing or wrong; names the variable
    ├── UsageError               the person asked for something in a way that cannot be done
    │   ├── UnreadableError      an attachment could not be read (too big, broken, locked, unknown)
    │   └── LimitError           more than one may ask for; names the limit, and when to try again
    ├── UnavailableError         nothing configured can do this; names the setting that brings it
    ├── PlatformError            Slack, Discord or another platform refused or failed
    │   └── OutageError          it cannot be reached, or has trouble of its own: the same will do later; retryable
    ├── StoreError               the database refused (full, locked, unreachable)
    ├── StoppedError             the person said stop while it was being done
    └── ProviderError            a model or its server failed
        ├── OverloadedError      a moment's trouble: 429, 5xx, time-out, connection; retryable
        │   └── UnreachableError no server answers there, as while it restarts; retryable for longer
        ├── QuotaError           the account is out of money or over its limit; not retryable
        ├── CredentialError      the key is wrong, revoked or lacks a permission
        ├── RefusedError         the model or its moderation refused the content
        ├── RejectedError        the server rejected our request (400); `param` names the setting at fault
        └── CutOffError          the answer broke off in the middle; `partial` is what had come

The text is for the person who waits for an answer: what happened and what to do, without secrets and without a traceback. What a
server said stands in it and in the detail with every secret of ours struck out.
"""

from __future__ import annotations

from typing import Any, ClassVar

from bot.redaction import redact, redact_within

MAX_CHARACTERS = 8_000
"""Of a text or a detail: they may be a server's words, and are kept and logged."""


class BotError(Exception):
    """A failure with a stable `code` for logs and metrics, and a `text` that a person can act on."""

    code: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False
    max_attempts: ClassVar[int] = 4
    """How often a step that fails with it is tried, where it is retryable."""
    attempts: int = 1
    """How often the step that ended with it was tried."""
    billed: Any = None
    """The Usage of what was paid for before it failed, where a provider knows; stays within the process."""

    def __init__(self, text: str, *, retry_after_s: float | None = None, detail: str = "") -> None:
        """text: for the person. detail: for the log alone. retry_after_s: what the other side asked for."""
        self.text = redact(text[:MAX_CHARACTERS])
        super().__init__(self.text)
        self.retry_after_s = retry_after_s
        self.detail = redact(detail[:MAX_CHARACTERS])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.text, self.__dict__)

    def to_json(self) -> dict[str, Any]:
        """The plain form that a remembered step keeps; `from_json` gives an equal error back."""
        state = {name: redact_within(value, redact) for name, value in self.__dict__.items() if name != "billed"}
        return {**state, "code": self.code}


class ConfigError(BotError):
    """A setting of the environment is missing or wrong; the text names the variable."""

    code = "config"


class UsageError(BotError):
    """The person asked in a way that cannot be done; the text shows the right way."""

    code = "usage"


class UnreadableError(UsageError):
    """An attachment could not be read; the text says which and why."""

    code = "unreadable"


class LimitError(UsageError):
    """More than a person, a channel or a workspace may ask for; the text says when to try again."""

    code = "limit"

    def __init__(self, text: str, *, limit: str = "", retry_after_s: float | None = None, detail: str = "") -> None:
        """limit: the name of its row in the table of limits."""
        super().__init__(text, retry_after_s=retry_after_s, detail=detail)
        self.limit = limit


class UnavailableError(BotError):
    """Nothing configured can do this; the text names the setting that brings it."""

    code = "unavailable"


class PlatformError(BotError):
    """The platform refused or failed; its own client has retried what was worth retrying."""

    code = "platform"


class OutageError(PlatformError):
    """The platform cannot be reached or has trouble of its own. What was to be shown is shown when it is back."""

    code = "platform_away"
    retryable = True
    max_attempts = 8


class StoreError(BotError):
    """The database refused: full, locked beyond patience, unreachable."""

    code = "store"
    retryable = True


class StoppedError(BotError):
    """The person said stop: what was being done is given up, and that is no failure."""

    code = "stopped"


class RefusedByStoreError(StoreError):
    """The database takes this never: a fault of ours."""

    code = "store_refused"
    retryable = False


class ProviderError(BotError):
    """A model or its server failed."""

    code = "provider"


class OverloadedError(ProviderError):
    """A moment's trouble: 429 with a rate limit, 5xx, a time-out, a lost connection."""

    code = "overloaded"
    retryable = True


class UnreachableError(OverloadedError):
    """Nothing answers at the server's address, as while it restarts. The address is for the log alone."""

    code = "unreachable"
    max_attempts = 8


class QuotaError(ProviderError):
    """The account behind the key is out of credit or over its spending limit."""

    code = "quota"


class CredentialError(ProviderError):
    """The key is wrong, revoked, or lacks a permission."""

    code = "credential"


class RefusedError(ProviderError):
    """The model or its moderation refused the content."""

    code = "refused"


class RejectedError(ProviderError):
    """The server rejected our request as malformed or unsupported."""

    code = "rejected"

    def __init__(self, text: str, *, param: str = "", retry_after_s: float | None = None, detail: str = "") -> None:
        """param: the parameter the server named, or an empty string."""
        super().__init__(text, retry_after_s=retry_after_s, detail=detail)
        self.param = param


class CutOffError(ProviderError):
    """The answer broke off in the middle; asking again may give it whole."""

    code = "cut_off"
    retryable = True

    def __init__(self, text: str, *, partial: str = "", retry_after_s: float | None = None, detail: str = "") -> None:
        """partial: the text that had come before the break."""
        super().__init__(text, retry_after_s=retry_after_s, detail=detail)
        self.partial = partial


def _rebuild(kind: type[BotError], text: str, state: dict[str, Any]) -> BotError:
    error = kind(text)
    error.__dict__.update(state)
    return error


def _tree(kind: type[BotError]) -> dict[str, type[BotError]]:
    found = {kind.code: kind}
    for child in kind.__subclasses__():
        found |= _tree(child)
    return found


def from_json(data: dict[str, Any]) -> BotError:
    """Rebuild an error from `BotError.to_json`; an unknown code becomes a plain BotError."""
    state = {name: value for name, value in data.items() if name != "code"}
    return _rebuild(_tree(BotError).get(data.get("code", ""), BotError), str(state.get("text", "")), state)
