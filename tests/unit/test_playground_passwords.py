"""Guesses at the page's password: they slow whoever guesses, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.playground.passwords import Passwords, TooManyGuesses
from tests.fakes import FakeClock


@pytest.fixture
async def passwords(clock: FakeClock) -> AsyncIterator[Passwords]:
    """A page whose password is right; up to ten guesses may wait."""
    made = Passwords("right", clock, max_waiting=10)
    yield made
    await made.close()


async def guessed(passwords: Passwords, given: str, caller: str) -> bool:
    """Whether it is right, within ten seconds of real time."""
    async with asyncio.timeout(10):
        return await passwords.is_right(given, caller)


async def test_a_right_password_does_not_wait(passwords: Passwords, clock: FakeClock) -> None:
    """Nothing slows whoever knows it."""
    assert await guessed(passwords, "right", "ann")
    assert clock.slept == []


@pytest.mark.parametrize(
    "given", ["", "Right", "right ", "righ", "rightright", "x" * 5_000, "\udcff", "\x00", "🤷" * 500]
)
async def test_a_wrong_password_waits(passwords: Passwords, clock: FakeClock, given: str) -> None:
    """Its answer comes half a second later."""
    assert not await guessed(passwords, given, "ann")
    assert clock.slept == [0.5]


async def test_an_attack_from_elsewhere_holds_up_nobody(passwords: Passwords) -> None:
    """Callers are served in turn: a right password passes at once, however many guesses wait that came before it."""
    attack = [asyncio.create_task(guessed(passwords, f"guess {number}", "eve")) for number in range(9)]
    await asyncio.sleep(0)
    assert await guessed(passwords, "right", "ann")
    assert sum(one.done() for one in attack) <= 2
    for one in attack:
        one.cancel()


async def test_an_attack_through_the_same_proxy_bars_nobody(passwords: Passwords) -> None:
    """From one address come the guesses and the right password too: it takes its turn, and is not refused for the others."""
    attack = [asyncio.create_task(guessed(passwords, f"guess {number}", "proxy")) for number in range(9)]
    await asyncio.sleep(0)
    assert await guessed(passwords, "right", "proxy")
    for one in attack:
        one.cancel()


async def test_the_greediest_is_refused_when_too_many_wait(passwords: Passwords) -> None:
    """A flood is bounded at its own cost: a newcomer from elsewhere takes the place of one of its guesses."""
    flood = [asyncio.create_task(guessed(passwords, f"guess {number}", "eve")) for number in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyGuesses):
        await guessed(passwords, "one more", "eve")
    assert await guessed(passwords, "right", "ann")
    assert isinstance(flood[-1].exception(), TooManyGuesses)
    for one in flood:
        one.cancel()


async def test_a_guess_that_was_given_up_costs_nothing(passwords: Passwords) -> None:
    """Whoever closes the connection does not keep the others waiting."""
    flood = [asyncio.create_task(guessed(passwords, f"guess {number}", "eve")) for number in range(10)]
    await asyncio.sleep(0)
    for one in flood:
        one.cancel()
    await asyncio.gather(*flood, return_exceptions=True)
    assert await guessed(passwords, "right", "eve")
