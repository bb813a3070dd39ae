"""Secrets of ours are struck out of text by their value, whoever says them and however they are written."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from bot import config as configuration
from bot.ports import Installation
from bot.redaction import LONG, MAX_LEARNT, STRUCK, Secrets, redact, redact_long, redact_within
from tests.conftest import MakeApp

KEY = "f3/9+c1~0a8d4e7b'6=2<5\"é\\Zq-8811"
"""Of no known shape, with signs that every encoding writes in its own way."""
PLAIN = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
"""A key as many servers have it: hexadecimal, with nothing that tells it from a digest."""
FAST_S = 0.05


@pytest.fixture
def secrets() -> Iterator[Secrets]:
    """Known as long as the test runs."""
    made = Secrets()
    yield made
    made.close()


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a sentence": lambda value: f"Incorrect API key provided: {value}. See https://example.org/keys.",
    "in an address": lambda value: quote(value, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "in an address, in small letters": lambda value: quote(value, safe="").lower(),
    "in small letters": str.lower,
    "in capitals, behind a letter that grows": lambda value: f"\u0130 {value.upper()}",
    "in an address, every letter": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "in hexadecimal digits": lambda value: value.encode().hex().upper(),
    "in JSON": json.dumps,
    "in JSON with all letters": lambda value: json.dumps(value, ensure_ascii=False),
    "in JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "in HTML": html.escape,
    "in Python's quotes": repr,
    "in Basic credentials": lambda value: f"Basic {base64.b64encode(f'user:{value}'.encode()).decode()}",
    "in other Basic credentials": lambda value: base64.b64encode(f"me:{value}:and more".encode()).decode(),
    "in base64 for addresses": lambda value: base64.urlsafe_b64encode(f"x{value}".encode()).decode(),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("value", [KEY, PLAIN])
def test_a_secret_is_struck_out_in_every_encoding(secrets: Secrets, value: str, encode: Callable[[str], str]) -> None:
    """Nothing of it that is worth having is left, in errors and in models' words alike."""
    secrets.learn(value)
    said = f"the server said {encode(value)} and more"
    for strike in (redact, redact_long):
        made = strike(said)
        assert made.startswith("the server said ")
        assert made.endswith(" and more")
        assert STRUCK in made
        assert len(made) < len(said) - len(value) + LONG
        assert not [at for at in range(len(value) - LONG) if value[at : at + LONG] in made]


@given(st.text(min_size=LONG, max_size=60), st.text(max_size=40), st.text(max_size=40), st.data())
def test_any_piece_of_a_long_secret_is_struck_out(value: str, before: str, after: str, data: st.DataObject) -> None:
    """A message that was cut off in the middle of a key does not show the part that came: for all keys, pieces and surroundings."""
    value = value.strip()
    if len(value) < LONG or len(value.splitlines()) != 1:
        return
    start = data.draw(st.integers(0, len(value) - LONG))
    piece = value[start : data.draw(st.integers(start + LONG, len(value)))]
    secrets = Secrets()
    secrets.learn(value)
    try:
        assert piece not in redact_long(before + piece + after) or piece in before + after
    finally:
        secrets.close()


@given(st.text(max_size=300))
def test_text_without_a_secret_is_left_alone(text: str) -> None:
    """Nothing is struck out of words that share less than a piece with a secret."""
    secrets = Secrets()
    secrets.learn(PLAIN, "parley", "abc")
    try:
        assert PLAIN[:LONG] in text.lower() or redact_long(text) == text
    finally:
        secrets.close()


@pytest.mark.parametrize(
    ("value", "line", "expected"),
    [
        ("hunter-2", "login hunter-2 failed", f"login {STRUCK} failed"),
        ("hunter-2", "login%20hunter-2%20failed", f"login%20{STRUCK}%20failed"),
        ("parley", "I am parley, a teammate", "I am parley, a teammate"),
        ("parley", "password=parley is wrong", f"password={STRUCK} is wrong"),
        ("parley", '{"password": "parley"}', f'{{"password": "{STRUCK}"}}'),
        ("parley", "postgresql://bot:parley@db/parley", f"postgresql://bot:{STRUCK}@db/parley"),
        ("parley", "password=parleys", "password=parleys"),
        ("a7!", "a7! is short", "a7! is short"),
        ("a7!", "token a7! is short", f"token {STRUCK} is short"),
        ("x", "the key x is one letter", "the key x is one letter"),
    ],
)
def test_a_short_secret_does_not_strike_out_words(secrets: Secrets, value: str, line: str, expected: str) -> None:
    """A plain word or a few letters are struck out only where the text calls them a secret: they stand elsewhere by chance."""
    secrets.learn(value)
    assert redact(line) == expected
    assert redact_long(line) == line


def test_each_line_of_a_key_is_a_secret(secrets: Secrets) -> None:
    """A key in several lines, as in a file, is known when one line of it is quoted."""
    secrets.learn("-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nAQEFAASCBKcwggSjAgEAAoIB\n-----END KEY-----")
    assert redact("near AQEFAASCBKcwggSjAgEAAoIB") == f"near {STRUCK}"


def test_what_nobody_knows_any_more_is_no_secret(secrets: Secrets) -> None:
    """Closing forgets, unless another owner still knows the same value."""
    other = Secrets()
    other.learn(PLAIN, KEY)
    secrets.learn(KEY)
    other.close()
    assert redact(f"{PLAIN} {KEY}") == f"{PLAIN} {STRUCK}"


def test_only_so_many_are_known_at_once(secrets: Secrets) -> None:
    """Tokens learnt at run time do not fill the memory: the newest are known, and what is learnt again stays."""
    for number in range(MAX_LEARNT * 2):
        secrets.learn(PLAIN, f"token-number-{number:08}-of-a-workspace")
    newest = f"token-number-{MAX_LEARNT * 2 - 1:08}-of-a-workspace"
    assert redact(f"{PLAIN} {newest}") == f"{STRUCK} {STRUCK}"


def test_values_within_values_are_struck_out(secrets: Secrets) -> None:
    """The plain form of a value keeps its shape."""
    secrets.learn(PLAIN)
    held = {"text": f"see {PLAIN}", "parts": [{"n": 1, "of": [PLAIN, None]}], "ok": True}
    expected = {"text": f"see {STRUCK}", "parts": [{"n": 1, "of": [STRUCK, None]}], "ok": True}
    assert redact_within(held, redact_long) == expected


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a ",
            "-",
            "\n",
            "a.b",
            PLAIN[:8],
            PLAIN[:11],
            "://a:",
            "://a:b",
            "Bot ",
            "Basic a",
            "Basic aaaa",
            "key ",
            "auth",
        ),
        *("webhooks/1/", "hooks.a/", "sk-", "x" * 25 + ".", "password=", "password=par"),
    ],
)
def test_striking_out_takes_time_in_proportion_to_the_text(secrets: Secrets, piece: str) -> None:
    """Twice the text takes at most three times as long, whatever was written to make it slow."""
    secrets.learn(PLAIN, KEY, "parley", "hunter-2", *(f"{number:04}{PLAIN}" for number in range(50)))

    def taken(length: int) -> float:
        text = piece * (length // len(piece))
        best = 9.0
        for _ in range(3):
            began = time.process_time()
            redact(text)
            best = min(best, time.process_time() - began)
        return best

    short, long = taken(20_000), taken(40_000)
    assert long < max(FAST_S, 3 * short)


async def test_tokens_that_are_learnt_at_run_time_are_struck_out(make_app: MakeApp) -> None:
    """Those that an installation brings, or a renewal, are known from then on, in another process once it has read them."""
    sealed_by = {"parley_secret_key": SecretStr(Fernet.generate_key().decode()), "durable": False}
    tokens = {"bot_token": "first/of+the~workspace", "refresh_token": "second/of+the~workspace"}
    said = " ".join(tokens.values())
    async with make_app(**sealed_by) as app:
        assert redact(said) == said
        await app.host.installations.keep(Installation("slack", "T1", secrets=tokens))
        assert redact(said) == f"{STRUCK} {STRUCK}"
        renewed = tokens | {"bot_token": "third/of+the~workspace"}
        await app.host.installations.keep(Installation("slack", "T1", secrets=renewed))
        assert redact("third/of+the~workspace") == STRUCK
    assert redact(said) == said
    async with make_app(**sealed_by) as app:
        await app.host.installations.find("slack", "T1")
        assert redact("third/of+the~workspace") == STRUCK


def test_the_environment_s_secrets_are_all_known() -> None:
    """Every variable that holds a secret, each of several keys, and the passwords in addresses, wherever these stand."""
    config = configuration.load(
        env_file=None,
        openai_api_key="key-of-the-models",
        openai_base_url="https://me:in-the-base-url@models.example/v1",
        slack_bot_token="xoxb-of-slack",
        discord_bot_token="token-of-discord",
        playground_password="open sesame",
        parley_secret_key="first-key,second-key",
        database_url="postgresql://bot:p%40ss-word@db/parley?sslpassword=of-the-certificate",
    )
    known = set(configuration.secrets_of(config))
    assert known >= {"key-of-the-models", "in-the-base-url", "xoxb-of-slack", "token-of-discord", "open sesame"}
    assert known >= {"first-key", "second-key", "p%40ss-word", "p@ss-word", "of-the-certificate"}
    assert not [one for one in known if "://" in one or "example" in one]
