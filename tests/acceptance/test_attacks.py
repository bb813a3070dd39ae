"""Every weapon of an adversary, tried on a Parley that runs as a process of its own between both emulators."""

from __future__ import annotations

import pytest

from tests.attacks.__main__ import attack
from tests.attacks.table import WEAPONS


@pytest.mark.timeout(400)
async def test_no_quick_attack_gets_through() -> None:
    """Forged ids, forms, cookies and log lines, junk, injections, searches, links, foreign files: all that takes a moment."""
    assert len(WEAPONS) > 40
    assert await attack([], fast=True) == []


@pytest.mark.hard
@pytest.mark.timeout(3_600)
async def test_no_attack_gets_through() -> None:
    """All of them, with floods, bombs, slow clients and guesses, while others go on working."""
    assert await attack([], fast=False) == []
