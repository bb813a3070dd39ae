"""The weapons, tried one after the other, and the table of what held."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tests.attacks.field import Field

Attack: TypeAlias = Callable[[Field], Awaitable[None]]
PATIENCE_S = 240.0


@dataclass(frozen=True)
class Weapon:
    """One thing to try."""

    name: str
    about: str
    """Which findings it stands for."""
    attack: Attack
    is_fast: bool
    """It takes a moment, and no timing decides: part of every check."""


@dataclass(frozen=True)
class Outcome:
    """How it went."""

    weapon: Weapon
    result: Literal["held", "GOT THROUGH"]
    seconds: float
    detail: str = ""


WEAPONS: list[Weapon] = []
OPEN: frozenset[str] = frozenset()
"""Weapons that are known to get through: this list only gets shorter."""


def weapon(about: str, *, fast: bool = True) -> Callable[[Attack], Attack]:
    """Make a function a weapon; its docstring says what is tried."""

    def register(attack: Attack) -> Attack:
        WEAPONS.append(Weapon(attack.__name__, about, attack, fast))
        return attack

    return register


def in_order() -> list[Weapon]:
    """The weapons, floods last: what they leave behind holds up whoever comes next for a while."""
    return sorted(WEAPONS, key=lambda one: (one.name.startswith("flood"), not one.is_fast))


async def try_all(field: Field, weapons: Iterable[Weapon], say: Callable[[str], None]) -> list[Outcome]:
    """Try them in order; each line is said when it is known."""
    outcomes: list[Outcome] = []
    for one in weapons:
        outcomes.append(await _try(field, one))
        say(line_of(outcomes[-1]))
    return outcomes


async def _try(field: Field, one: Weapon) -> Outcome:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await one.attack(field)
        assert field.parley.process.returncode is None, "Parley is dead"
    # Whatever goes wrong is told in the table: an attack that breaks the field has got through.
    except Exception as error:
        words = " ".join(str(error).split())[:300]
        return Outcome(one, "GOT THROUGH", time.perf_counter() - began, f"{type(error).__name__}: {words}")
    return Outcome(one, "held", time.perf_counter() - began)


def line_of(outcome: Outcome) -> str:
    """One line of the table."""
    one = outcome.weapon
    is_open = " (known to be open)" if one.name in OPEN and outcome.detail else ""
    told = (one.attack.__doc__ or "").strip().splitlines()[0]
    return f"{outcome.result + is_open:<12} {one.about:<9} {outcome.seconds:6.1f} s  {told} {outcome.detail}".rstrip()


def got_through(outcomes: Sequence[Outcome]) -> list[str]:
    """The weapons that got through and are not known to be open."""
    return sorted({one.weapon.name for one in outcomes if one.detail} - OPEN)
