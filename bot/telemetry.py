"""Logging with tenant and turn in context, and the counters and timings behind /metrics. No secret passes into a log line."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_turn: ContextVar[str] = ContextVar("turn", default="-")
_tenant: ContextVar[str] = ContextVar("tenant", default="-")

registry = CollectorRegistry(auto_describe=True)
accepted = Counter("parley_accepted", "Events accepted.", ["platform", "outcome"], registry=registry)
turns = Counter("parley_turns", "Turns ended.", ["platform", "state", "error"], registry=registry)
turn_seconds = Histogram("parley_turn_seconds", "From the start of a turn to its end.", ["platform"], registry=registry)
first_text_seconds = Histogram(
    "parley_first_text_seconds",
    "From the start of a turn to the first visible text.",
    ["platform"],
    registry=registry,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
)
step_seconds = Histogram("parley_step_seconds", "Steps of turns.", ["name"], registry=registry)
running = Gauge("parley_turns_running", "Turns being answered by this process.", registry=registry)
calls = Counter("parley_model_calls", "Calls of models.", ["modality", "model", "state"], registry=registry)
tokens = Counter("parley_tokens", "Tokens of model calls.", ["model", "direction"], registry=registry)
cost = Counter("parley_cost_micro_usd", "Cost of model calls, where the price is known.", ["model"], registry=registry)

SECRET = re.compile(
    r"(sk-|xox[abeprs]-|xapp-|xwfp-|Bot\s+|Bearer\s+)[\w\-.]{6,}"
    r"|(://[^/:@\s]+:)[^@\s]+(?=@)"
    r"|((?:webhooks|interactions)/\d+/)[\w\-]{20,}"
    r"|(?<![\w\-.])[\w\-]{23,28}\.[\w\-]{6,7}\.[\w\-]{27,}"
)
"""Keys of OpenAI and Slack, tokens in headers, passwords in addresses, Discord's tokens in addresses and bare (the id, a time and a
signature in base64)."""


def metrics() -> bytes:
    """All of it in Prometheus' text format."""
    return generate_latest(registry)


@contextmanager
def in_turn(tenant_id: int, turn_id: str) -> Iterator[None]:
    """Log lines written inside carry the tenant and the turn."""
    tokens_ = _tenant.set(str(tenant_id)), _turn.set(turn_id[:8])
    try:
        yield
    finally:
        _tenant.reset(tokens_[0])
        _turn.reset(tokens_[1])


def redact(text: str) -> str:
    """The text with everything that looks like a secret struck out."""
    return SECRET.sub(lambda found: f"{found[1] or found[2] or found[3] or ''}***", text)


class _Formatter(logging.Formatter):
    """Adds the context and strikes out secrets, in tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        record.tenant, record.turn = _tenant.get(), _turn.get()
        return redact(super().format(record))


class _JsonFormatter(_Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "tenant": _tenant.get(),
            "turn": _turn.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return redact(json.dumps(line, ensure_ascii=False))


def _quieter(record: logging.LogRecord) -> bool:
    """A library that connects again by itself is worth a line, not a traceback."""
    if record.name.startswith("discord.") and record.exc_info and "Attempting a reconnect" in str(record.msg):
        reason = record.exc_info[1]
        record.msg, record.args = f"{record.getMessage()}: {type(reason).__name__}: {reason}", ()
        record.levelno, record.levelname, record.exc_info, record.exc_text = logging.WARNING, "WARNING", None, None
    return True


def configure_logging(level: str, shape: str) -> None:
    """Send our log to standard error. Libraries speak from WARNING up, at DEBUG too: below it they quote what people wrote."""
    handler = logging.StreamHandler(sys.stderr)
    text = "%(asctime)s %(levelname)-7s %(name)s [%(tenant)s %(turn)s] %(message)s"
    handler.addFilter(_quieter)
    handler.setFormatter(_JsonFormatter() if shape == "json" else _Formatter(text, "%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel("WARNING")
    for name in ("bot", "adapters"):
        logging.getLogger(name).setLevel(level)
