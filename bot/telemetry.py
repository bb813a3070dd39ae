"""Logging with tenant and turn in context, and the counters and timings behind /metrics. No secret passes into either."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.redaction import redact
from bot.visible import visible, visible_lines

INDENT = "    "
MAX_CHARACTERS = 20_000
"""Of a record's message, and of its traceback."""
_turn: ContextVar[str] = ContextVar("turn", default="-")
_tenant: ContextVar[str] = ContextVar("tenant", default="-")

registry = CollectorRegistry(auto_describe=True)
accepted = Counter("parley_accepted", "Events accepted.", ["platform", "outcome"], registry=registry)
refused = Counter("parley_refused", "What a limit refused.", ["limit"], registry=registry)
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
loop_lag_seconds = Histogram(
    "parley_loop_lag_seconds",
    "Passes of the event loop from 1 ms up: how long everything else waited.",
    registry=registry,
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
running = Gauge("parley_turns_running", "Turns being answered by this process.", registry=registry)
waiting = Gauge("parley_answers_waiting", "Answers that wait for their platform.", ["platform"], registry=registry)
delivered = Counter(
    "parley_delivered_late", "Answers shown after their platform was away.", ["platform"], registry=registry
)
calls = Counter("parley_model_calls", "Calls of models.", ["modality", "model", "state"], registry=registry)
tokens = Counter("parley_tokens", "Tokens of model calls.", ["model", "direction"], registry=registry)
cost = Counter("parley_cost_micro_usd", "Cost of model calls, where the price is known.", ["model"], registry=registry)


def metrics() -> bytes:
    """All of it in Prometheus' text format."""
    return redact(generate_latest(registry).decode()).encode()


@contextmanager
def in_turn(tenant_id: int, turn_id: str) -> Iterator[None]:
    """Log lines written inside carry the tenant and the turn."""
    tokens_ = _tenant.set(str(tenant_id)), _turn.set(turn_id[:8])
    try:
        yield
    finally:
        _tenant.reset(tokens_[0])
        _turn.reset(tokens_[1])


class _Formatter(logging.Formatter):
    """Adds the context, strikes out secrets and makes control characters visible: each record is one line that nobody can forge.

    A traceback keeps its lines; they are indented, so that none of them looks like a record.
    """

    def format(self, record: logging.LogRecord) -> str:
        record.tenant, record.turn = _tenant.get(), _turn.get()
        record.message, record.asctime = _message(record), self.formatTime(record, self.datefmt)
        lines = [visible(self.formatMessage(record)), *(visible_lines(one, INDENT) for one in self._below(record))]
        return "\n".join(lines)

    def _below(self, record: logging.LogRecord) -> list[str]:
        """The traceback, and where it was logged, if the record holds them."""
        is_here = record.exc_info and record.exc_info[0]
        raised = self.formatException(record.exc_info) if is_here else record.exc_text  # type: ignore[arg-type]
        return [redact(_shortened(one)) for one in (raised, record.stack_info) if one]


class _JsonFormatter(_Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": visible(record.name),
            "tenant": _tenant.get(),
            "turn": visible(_turn.get()),
            "message": visible(_message(record)),
        }
        if below := self._below(record):
            line["traceback"] = visible_lines("\n".join(below))
        return json.dumps(line, ensure_ascii=False)


def _message(record: logging.LogRecord) -> str:
    try:
        said = record.getMessage()
    except (
        TypeError,
        ValueError,
        KeyError,
    ):  # a library's call whose arguments do not fit: logging would print them as they are
        said = f"{record.msg} {record.args}"
    return redact(_shortened(said))


def _shortened(text: str) -> str:
    """No name or message of somebody else's floods the log."""
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}… ({len(text):,} characters)"


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
