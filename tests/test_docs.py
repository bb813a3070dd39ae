"""Documents say what the code does: settings, commands and locks are compared with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bot.cli import COMMANDS
from bot.cli.reference import configuration_page
from bot.config import variable_groups

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("base", "local", "dev")


def variables() -> set[str]:
    """Every variable that can be set."""
    return {name.upper() for fields in variable_groups().values() for name in fields}


def pins(lock: str) -> dict[str, str]:
    """The version of each package in a lock."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.\-]+)==([^\s;]+)", text, re.MULTILINE))


def test_the_configuration_page_is_what_the_code_reads() -> None:
    """docs/configuration.md is generated; `make docs` writes it anew."""
    written = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    assert written == configuration_page(), "run `make docs`"


def test_every_setting_is_described() -> None:
    """No variable without a sentence, each known to one group only."""
    names = [name for fields in variable_groups().values() for name in fields]
    assert len(names) == len(set(names))
    for group, fields in variable_groups().items():
        assert all(field.description for field in fields.values()), group


def test_the_example_names_settings_that_exist() -> None:
    """Every line of .env.example is a setting, and is off until somebody takes the # away."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    settings = [line for line in lines if line and not line.startswith("# ")]
    assert settings and all(line.startswith("#") for line in settings)
    assert {line[1:].partition("=")[0] for line in settings} <= variables()


def test_the_procfile_starts_commands_that_exist() -> None:
    """Each process is a command of ours."""
    text = (ROOT / "Procfile").read_text(encoding="utf-8")
    processes = dict(re.findall(r"^(\w+): .*python -m bot (\w+)$", text, re.MULTILINE))
    assert processes == {"release": "migrate", "web": "web", "gateway": "gateway", "worker": "worker"}
    assert set(processes.values()) <= set(COMMANDS)


@pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="there is no README.md in this tree")
def test_the_readme_names_every_command() -> None:
    """Whoever reads the README has heard of each command."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    unnamed = [name for name in COMMANDS if not re.search(rf"parley {name}\b|`{name}`", text)]
    assert not unnamed


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_pin_by_hash_and_name_no_address(lock: str) -> None:
    """Any mirror of the package index serves, and none can slip in another file."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    assert "://" not in text and "--index" not in text
    blocks = re.split(r"\n(?=[\w.\-]+==)", text.strip())
    assert all("--hash=sha256:" in block for block in blocks)


def test_locks_agree() -> None:
    """`make run` and `make test` share an environment: what both lock is the same version, and both hold the base."""
    base, local, dev = (pins(lock) for lock in LOCKS)
    assert base.items() <= local.items() and base.items() <= dev.items()
    assert all(dev.get(name, version) == version for name, version in local.items())
