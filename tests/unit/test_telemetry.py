"""The log says what happened, and neither what people wrote nor what opens doors."""

from __future__ import annotations

import base64
import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import Gauge

from bot import telemetry
from bot.redaction import STRUCK, Secrets, redact
from bot.telemetry import configure_logging
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, answer

TOKEN = ".".join((base64.b64encode(b"123456789012345678").decode().rstrip("="), "GaBcDe", "x" * 38))
"""In the form of a Discord bot's; of no bot."""


@contextmanager
def logging_as(level: str, shape: str) -> Iterator[None]:
    """The log as an operator has it; put back in the end."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("bot", "adapters")]
    before = root.handlers[:], root.level, [one.level for one in ours]
    configure_logging(level, shape)
    try:
        yield
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        for one, level_before in zip(ours, before[2], strict=True):
            one.setLevel(level_before)


@pytest.fixture
def debugging(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """As an operator who looks for trouble has it."""
    with logging_as("DEBUG", "text"):
        yield


def logged(shape: str, log: Callable[[], None]) -> str:
    """What is written to the log meanwhile."""
    with logging_as("INFO", shape):
        [handler] = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(io.StringIO())
        log()
        return str(handler.stream.getvalue())


async def test_looking_for_trouble_does_not_show_what_people_wrote(
    debugging: None, make_app: MakeApp, platform: FakeAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    """With LOG_LEVEL=DEBUG our own lines come, and no library's that hold the words of a message."""
    async with make_app() as app:
        await answer(app, platform, platform.says("a very private sentence"))
    for library in ("sqlalchemy.engine", "openai", "discord", "slack_sdk", "some.other"):
        logging.getLogger(library).debug("sending a very private sentence")
        logging.getLogger(library).info("sent a very private sentence")
    logging.getLogger("bot.engine").debug("a detail of ours")
    said = capsys.readouterr().err
    assert "a detail of ours" in said
    assert "private" not in said


@pytest.mark.parametrize(
    "line",
    [
        f"logging in with {TOKEN}",
        f"POST /api/v10/webhooks/123456789012345678/{'aW50ZXJhY3Rpb24' * 5}/messages",
        f"unknown interaction {'aW50ZXJhY3Rpb24' * 5}",
        f"Authorization: Bot {TOKEN}",
        "xoxb-1234567890-abcdef",
        "postgresql://parley:hunter2hunter2@127.0.0.1/parley",
        "wss://wss-primary.slack.com/link/?ticket=hunter2hunter2&app_id=1",
        "https://hooks.slack.com/commands/T1/2345678/hunter2hunter2",
        "Authorization: Basic aHVudGVyMmh1bnRlcjI=",
    ],
)
def test_secrets_are_struck_out(line: str) -> None:
    """Tokens are masked however they come: in a header, an address, or bare."""
    made = redact(line)
    assert "***" in made
    for secret in (TOKEN, "aW50ZXJhY3Rpb24", "1234567890-abcdef", "hunter2", "aHVudGVyMg"):
        assert secret not in made


def test_names_stay_readable() -> None:
    """What only looks a little like a token is left alone."""
    for line in ("bot.providers.openai.responses", "parley.internal.example.org", f"python {sys.version.split()[0]}"):
        assert redact(line) == line


HOSTILE = st.lists(
    st.one_of(
        st.sampled_from('\n\r\x1b\x85\x9b\0\x7f\u2028\u2029\u202e\u2066\u200f\ufeff\x0b\x0c\x1c\x1d\x1e %{}[]"\\'),
        st.characters(codec=None),
        st.sampled_from(("12:00:00 ERROR   bot.engine [1 abc] ", "\x1b[2K", '"}\n{"level": "ERROR"')),
    ),
    max_size=40,
).map("".join)
UNSEEN = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def hostile_record(name: str, message: str, argument: str, *, fails: bool) -> Callable[[], None]:
    """A warning, with a traceback or without, in which everything is somebody else's text."""

    def log() -> None:
        try:
            raise ValueError(argument)
        except ValueError:
            logging.getLogger(f"bot.{name}").warning(message, argument, exc_info=fails)

    return log


@given(HOSTILE, HOSTILE, HOSTILE, st.booleans())
def test_no_text_forges_a_line_of_the_log(name: str, message: str, argument: str, fails: bool) -> None:
    """For all names, messages, arguments and errors: one line begins a record, what belongs to it is indented, nothing is raw."""
    for said in (message.replace("%", "%%") + " %s", message):  # the second may not fit its argument
        text = logged("text", hostile_record(name, said, argument, fails=fails))
        first, *more = text.removesuffix("\n").split("\n")
        assert re.match(r"\d\d:\d\d:\d\d WARNING bot\.", first)
        assert all(line.startswith("    ") for line in more)
        assert bool(more) == fails
        assert not UNSEEN.search(text)


@given(HOSTILE, HOSTILE, HOSTILE, st.booleans())
def test_no_text_forges_an_object_of_the_log(name: str, message: str, argument: str, fails: bool) -> None:
    """For all names, messages, arguments and errors: one line, one object, and what a terminal shows of its fields is not raw."""
    text = logged("json", hostile_record(name, message, argument, fails=fails))
    assert text.count("\n") == 1
    assert not UNSEEN.search(text)
    record = json.loads(text)
    assert record["level"] == "WARNING"
    assert not UNSEEN.search("".join(record.values()))
    assert "\n" not in record["message"] + record["logger"]


@pytest.mark.parametrize("shape", ["text", "json"])
def test_a_record_that_does_not_fit_its_arguments_shows_no_secret(
    shape: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A library's faulty call of the log is logged as far as it goes, and prints nothing beside the log."""
    secrets = Secrets()
    secrets.learn("a-secret-of-no-known-shape")
    said = logged(shape, lambda: logging.getLogger("slack_sdk").error("%d of %d", "a-secret-of-no-known-shape"))
    secrets.close()
    assert STRUCK in said
    assert "no-known" not in said + "".join(capsys.readouterr())


@pytest.mark.parametrize("shape", ["text", "json"])
def test_tracebacks_show_no_secret(shape: str) -> None:
    """Of an error, of what caused it, and of its notes."""
    secrets = Secrets()
    secrets.learn("a-secret-of-no-known-shape")

    def log() -> None:
        try:
            try:
                raise KeyError("a-secret-of-no-known-shape")
            except KeyError as error:
                error.add_note("by a-secret-of-no-known-shape")
                raise RuntimeError("with a-secret-of-no-known-shape") from error
        except RuntimeError:
            logging.getLogger("bot").exception("a-secret-of-no-known-shape", stack_info=True)

    said = logged(shape, log)
    secrets.close()
    assert said.count(STRUCK) >= 4
    assert "no-known-shape" not in said.replace(
        '"a-secret-of-no-known-shape"', ""
    )  # the source that a traceback quotes


@pytest.mark.parametrize("shape", ["text", "json"])
def test_no_text_floods_the_log(shape: str) -> None:
    """A name or an error of a million letters leaves a record that says how long it was."""
    said = logged(shape, hostile_record("engine", "%s", "x" * 1_000_000, fails=True))
    assert len(said) < 50_000
    assert "(1,000,000 characters)" in said


def test_metrics_show_no_secret() -> None:
    """A label that holds one, such as a model's name, is shown without it."""
    secrets = Secrets()
    secrets.learn("a-secret-of-no-known-shape")
    gauge = Gauge("parley_test", "For this test.", ["model"], registry=telemetry.registry)
    gauge.labels("openai:a-secret-of-no-known-shape").set(1)
    try:
        assert b'parley_test{model="openai:***"} 1.0' in telemetry.metrics()
    finally:
        telemetry.registry.unregister(gauge)
        secrets.close()
