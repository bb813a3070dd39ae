"""The log says what happened, and neither what people wrote nor what opens doors."""

from __future__ import annotations

import base64
import logging
import sys
from collections.abc import Iterator

import pytest

from bot.telemetry import configure_logging, redact
from tests.conftest import MakeApp
from tests.fakes import FakeAdapter, answer

TOKEN = ".".join((base64.b64encode(b"123456789012345678").decode().rstrip("="), "GaBcDe", "x" * 38))
"""In the form of a Discord bot's; of no bot."""


@pytest.fixture
def debugging(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The log as an operator who looks for trouble has it; put back in the end."""
    root, ours = logging.getLogger(), [logging.getLogger(name) for name in ("bot", "adapters")]
    before = root.handlers[:], root.level, [one.level for one in ours]
    configure_logging("DEBUG", "text")
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    for one, level in zip(ours, before[2], strict=True):
        one.setLevel(level)


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
        f"Authorization: Bot {TOKEN}",
        "xoxb-1234567890-abcdef",
        "postgresql://parley:hunter2hunter2@127.0.0.1/parley",
    ],
)
def test_secrets_are_struck_out(line: str) -> None:
    """Tokens are masked however they come: in a header, an address, or bare."""
    made = redact(line)
    assert "***" in made
    for secret in (TOKEN, "aW50ZXJhY3Rpb24", "1234567890-abcdef", "hunter2"):
        assert secret not in made


def test_names_stay_readable() -> None:
    """What only looks a little like a token is left alone."""
    for line in ("bot.providers.openai.responses", "parley.internal.example.org", f"python {sys.version.split()[0]}"):
        assert redact(line) == line
