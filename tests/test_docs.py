"""Documents say what the code does: settings, commands and locks are compared with it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot.cli import COMMANDS
from bot.cli.reference import configuration_page
from bot.config import variable_groups

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("base", "local", "dev")
WHERE_TO_ADD = (ROOT / "docs/where-to-add.md").read_text(encoding="utf-8")
CODE = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
LIBRARY_NAMES = {
    "nullable",
    "server_default",
    "op.add_column",
    "op.drop_column",
    "batch_alter_table",
    "sa.text",
    "dependencies",
}
"""What `docs/where-to-add.md` names that is SQLAlchemy's, Alembic's or a file's own: everything else is a name of ours."""


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


def sections(page: str) -> dict[str, str]:
    """The text of each section by its title."""
    return {title: text for title, _, text in (one.partition("\n") for one in page.split("\n## ")[1:])}


def names_in(path: Path) -> set[str]:
    """What a source defines, attributes and parameters too; of a script, every word."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return set(re.findall(r"\w+", text))
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def is_path(code: str) -> bool:
    """Whether this is written as a path in the repository."""
    return " " not in code and not code.startswith("/") and ("/" in code or code.endswith((".md", ".toml", ".example")))


def test_the_page_on_where_to_add_what_names_paths_that_exist() -> None:
    """Each file and folder in docs/where-to-add.md, each document it leads to, and each module and target of a command."""
    named = {code for code in CODE.findall(WHERE_TO_ADD) if is_path(code)}
    assert len(named) > 50
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]
    linked = re.findall(r"\]\(([^)#]+)", WHERE_TO_ADD)
    assert linked and not [path for path in linked if not (ROOT / "docs" / path).exists()]
    typed = re.findall(r"python -m pytest (\S+)", WHERE_TO_ADD)
    typed += [f"{name.replace('.', '/')}.py" for name in re.findall(r"python -m (tests\.\w+)", WHERE_TO_ADD)]
    assert typed and not [path for path in typed if not (ROOT / path).exists()]
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", WHERE_TO_ADD)) <= targets


@pytest.mark.parametrize("title", sections(WHERE_TO_ADD))
def test_the_page_on_where_to_add_what_names_what_is_there(title: str) -> None:
    """Each name in a section of docs/where-to-add.md is defined in a file that the section names."""
    codes = [code for code in CODE.findall(sections(WHERE_TO_ADD)[title]) if "=" not in code]
    paths = [ROOT / code for code in codes if is_path(code)]
    known = set[str]().union(*(names_in(path) for path in paths if path.suffix in (".py", ".js")))
    names = {code for code in codes if NAME.fullmatch(code) and not is_path(code)} - LIBRARY_NAMES
    unknown = {name for name in names if not set(name.split(".")) <= known}
    assert not unknown, f"named in the section {title!r}, and in none of its files: {sorted(unknown)}"


def test_the_page_draws_every_button() -> None:
    """Each action that may stand under a reply has a button on the page: one without would be missing there in silence."""
    from bot.types import ACTIONS

    source = (ROOT / "adapters" / "playground" / "page" / "tools.js").read_text(encoding="utf-8")
    missing = [action for action in ACTIONS if action != "stop" and f"    {action}: " not in source]
    assert not missing
