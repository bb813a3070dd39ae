"""What a platform lends for minutes: sealed where it is written, and dead in time."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.shared.short_lived import ShortLived
from tests.fakes import FakeClock

KEY, OTHER = SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="), SecretStr("xoxb-another")
HALF_AN_HOUR = timedelta(minutes=30)


@given(st.text())
def test_what_is_sealed_opens_in_another_process_of_the_installation(text: str) -> None:
    """Whoever has the same environment opens it; what is written down shows nothing of it."""
    clock = FakeClock()
    sealed = ShortLived(clock, KEY).seal(text, clock.now() + HALF_AN_HOUR)
    assert ShortLived(clock, KEY, OTHER).open(sealed) == text
    assert len(text) < 8 or text not in sealed


def test_what_is_sealed_dies_in_time() -> None:
    """A minute before its end it opens, at its end it does not."""
    clock = FakeClock()
    seal = ShortLived(clock, KEY)
    sealed = seal.seal("https://hooks.example/1", clock.now() + HALF_AN_HOUR)
    clock.at += timedelta(minutes=29)
    assert seal.open(sealed) == "https://hooks.example/1"
    clock.at += timedelta(minutes=1)
    assert seal.open(sealed) is None


def test_another_installation_opens_nothing() -> None:
    """Neither another secret nor another process without any; the platform's token serves where there is no key."""
    clock = FakeClock()
    sealed = ShortLived(clock, None, OTHER).seal("right", clock.now() + HALF_AN_HOUR)
    assert ShortLived(clock, None, OTHER).open(sealed) == "right"
    assert ShortLived(clock, KEY).open(sealed) is None
    assert ShortLived(clock).open(sealed) is None
    assert ShortLived(clock).open(ShortLived(clock).seal("right", clock.now() + HALF_AN_HOUR)) is None


def test_a_key_that_was_rotated_opens_what_it_sealed() -> None:
    """PARLEY_SECRET_KEY holds the new key before the old one: the first seals, all open."""
    clock = FakeClock()
    sealed = ShortLived(clock, KEY).seal("right", clock.now() + HALF_AN_HOUR)
    both = ShortLived(clock, SecretStr(f"{OTHER.get_secret_value()}, {KEY.get_secret_value()}"))
    assert both.open(sealed) == "right"
    assert ShortLived(clock, KEY).open(both.seal("right", clock.now() + HALF_AN_HOUR)) is None


@given(st.text())
def test_what_was_never_sealed_is_nothing(text: str) -> None:
    """Any text that comes along, an address in plain among them, opens to nothing, without an error."""
    assert ShortLived(FakeClock(), KEY).open(text) is None
