"""The sources are read: imports point one way, and no platform's or vendor's name stands in the core."""

from __future__ import annotations

import ast
import dataclasses
import re

import pytest

import adapters
from bot import providers
from bot.types import Capabilities
from tests.imports import EMULATOR, ROOT, ROOTS, allowed_for, imports_of, sources

COMPOSITION = (*ROOTS, *(f"bot/{name}.py" for name in ("config", "host", "models_chosen", "readiness", "background")))
"""These put the parts together, and are the first that would learn a folder's name."""
CONSOLE_COMMANDS = ("bot/cli/talk.py", "bot/cli/transcribe.py")
FOLDERS = tuple(
    path.relative_to(ROOT).as_posix()
    for folder in ("adapters", "bot/providers")
    for path in [ROOT / folder / "__init__.py", *(ROOT / folder).glob("*/__init__.py")]
)
"""The `__init__.py` of every platform and provider."""
NAMES = re.compile(r"slack|discord|openai|whisper|qwen|anthropic", re.IGNORECASE)


@pytest.mark.parametrize(
    ("path", "tree"), [pytest.param(p, t, id=p) for p, t in sources() if p != "adapters/__init__.py"]
)
def test_imports_point_one_way(path: str, tree: ast.Module) -> None:
    """A part imports only what the table allows it."""
    allowed = allowed_for(path)
    if allowed is None:
        return
    wrong = {name for name in imports_of(tree) if not any(name == ok or name.startswith(f"{ok}.") for ok in allowed)}
    assert not wrong, f"{path} imports {sorted(wrong)}"


def test_the_core_names_no_platform_and_no_vendor() -> None:
    """Platform and model differences live in their folders: the engine's code does not know their names."""
    wrong = []
    for path, tree in sources():
        if not path.startswith("bot/engine/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Name | ast.Attribute | ast.FunctionDef | ast.ClassDef):
                name = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", "")
                wrong += [f"{path}: {name}"] if NAMES.search(name) else []
    assert not wrong


def test_the_composition_root_names_no_platform_and_no_vendor() -> None:
    """Whatever is special about a folder is a field of its PLUGIN. The console is the command line's own platform."""
    folders = f"{'|'.join([*adapters.names(), *providers.names()])}"
    of_a_folder = re.compile(rf"(adapters|bot\.providers)\.({folders})\b")
    wrong = []
    for path, tree in sources():
        if not path.startswith(COMPOSITION):
            continue
        named = {name for name in imports_of(tree) if of_a_folder.match(name)}
        named |= {text for text in _strings(tree) if re.fullmatch(folders, text)}
        is_own = re.compile(r"(adapters\.)?console\b" if path in CONSOLE_COMMANDS else "(?!)")
        wrong += [f"{path}: {name}" for name in named if not is_own.match(name)]
    assert not wrong


def _strings(tree: ast.Module) -> set[str]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_folders_are_not_asked_for_names_they_may_lack() -> None:
    """What a folder says is typed: nobody looks for an attribute by a constant name, and no options are Any."""
    wrong = []
    for path, tree in sources():
        is_folder = path.startswith(("adapters/", "bot/providers/"))
        for node in ast.walk(tree):
            is_asked = isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "hasattr")
            if is_asked and path.startswith((*COMPOSITION, *FOLDERS)) and isinstance(node.args[1], ast.Constant):  # type: ignore[attr-defined]
                wrong.append(f"{path}:{node.lineno} {ast.unparse(node)}")  # type: ignore[attr-defined]
            if is_folder and isinstance(node, ast.arg) and node.arg == "options" and node.annotation is not None:
                wrong += [f"{path}:{node.lineno} options: Any"] if ast.unparse(node.annotation) == "Any" else []
    assert not wrong


def test_what_adapters_keep_for_themselves_is_theirs_alone() -> None:
    """`ref` holds an adapter's own strings: the core carries them along unread, and merges later ones in."""
    readers = {
        path
        for path, tree in sources()
        for node in ast.walk(tree)
        if path.startswith("bot/") and isinstance(node, ast.Attribute) and node.attr == "ref"
    }
    assert readers <= {"bot/policy/addressing.py", "bot/inbox/writer.py"}


MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 420
"""One subject a file: beyond this there are two."""


def test_functions_and_files_stay_small() -> None:
    """No function is longer than a screen, and no source file, scripts of pages included, longer than a subject takes."""
    wrong = [
        f"{path}: {node.name}"
        for path, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    ]
    files = [
        path
        for folder in ("bot", "adapters")
        for ending in ("py", "js")
        for path in (ROOT / folder).rglob(f"*.{ending}")
    ]
    wrong += [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MAX_FILE_LINES]
    assert not wrong


def test_every_public_function_says_what_it_gives() -> None:
    """Public functions and classes have docstrings."""
    wrong: list[str] = []
    for path, tree in sources():
        if EMULATOR.match(path):
            continue
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            is_nested = not any(node in getattr(parent, "body", []) for parent in [tree, *_classes(tree)])
            is_nested = is_nested or any(
                node in parent.body for parent in _classes(tree) if parent.name.startswith("_")
            )
            is_port = path.startswith("bot/ports/") and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            if not is_nested and not is_port and not ast.get_docstring(node):
                wrong.append(f"{path}:{node.lineno} {node.name}")
    assert not wrong


def test_every_capability_is_read_by_somebody() -> None:
    """A platform declares nothing that no code decides by."""
    read = {
        node.attr
        for path, tree in sources()
        if not EMULATOR.match(path)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value).lower().endswith("capabilities")
    }
    assert {field.name for field in dataclasses.fields(Capabilities)} <= read


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def test_the_architecture_page_names_every_module() -> None:
    """docs/architecture.md has a sentence on each module: the module's own first one."""
    from tests.architecture_page import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.architecture_page`"
