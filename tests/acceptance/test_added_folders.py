"""A platform and a provider are added by following the documents literally: their code blocks are the files."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.cli import WRONG
from tests.imports import allowed_for, imports_of

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = ("docs/adding-a-platform.md", "docs/adding-a-provider.md")
BLOCK = re.compile(r"^`(?P<path>[\w/]+\.py)`\n\n```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
DEADLINE_S = 60


def written_files() -> dict[str, str]:
    """Every file that the documents tell a reader to write, by its path in the repository."""
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS]
    return {found["path"]: found["code"] for text in texts for found in BLOCK.finditer(text)}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """This repository with the documents' files in it: links to what is here, and the new folders beside them."""
    tree = tmp_path / "tree"
    for folder in ("", "bot", "bot/providers", "adapters"):
        (tree / folder).mkdir()
        for path in (ROOT / folder).iterdir():
            if not (tree / folder / path.name).exists() and path.name not in ("bot", "adapters", "providers", ".env"):
                (tree / folder / path.name).symlink_to(path)
    for name, code in written_files().items():
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(code, encoding="utf-8")
    return tree


class Reader:
    """Somebody who has followed both documents and now types `parley …` in that tree."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.letters = tree / "letters"
        self.letters.mkdir()
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
        self._environment = {
            **kept,
            "PARLEY_HOME": str(tree / "home"),
            "PORT": "0",
            "CHAT_MODEL": "parrot:polly",
            "LETTERBOX_FOLDER": str(self.letters),
            "LETTERBOX_POLL_S": "0.05",
        }

    async def starts(self, *words: str) -> asyncio.subprocess.Process:
        """Start `parley WORDS`."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *words),
            cwd=self.tree,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def reads(self, *words: str) -> str:
        """Run `parley WORDS` to its end; returns what it printed."""
        process = await self.starts(*words)
        async with asyncio.timeout(DEADLINE_S):
            printed, complaints = await process.communicate()
        assert process.returncode == 0, complaints.decode()
        return printed.decode()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`parley all`, until the end of the block."""
        process = await self.starts("all")
        try:
            async with asyncio.timeout(DEADLINE_S):
                await _line_with(process, "Ctrl-C")
            yield
        finally:
            process.terminate()
            await process.communicate()


async def _line_with(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stdout is not None and process.stderr is not None
    while line := await process.stdout.readline():
        if words in line.decode():
            return
    raise AssertionError((await process.stderr.read()).decode())


async def _until_it_says(path: Path, words: str) -> None:
    """Wait for the file. It is polled: a file system tells nobody."""
    async with asyncio.timeout(DEADLINE_S):
        while words not in _read(path):
            await asyncio.sleep(0.02)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


async def test_a_platform_and_a_provider_are_added_by_the_documents_alone(tree: Path) -> None:
    """The letterbox and the parrot of the documents answer a letter, and neither needed an edit anywhere else."""
    reader = Reader(tree)
    async with reader.running():
        (reader.letters / "hello.txt").write_text("Who is there?\n", encoding="utf-8")
        await _until_it_says(reader.letters / "hello.answer", "Squawk! Who is there?")
        (reader.letters / "help.txt").write_text("/help\n", encoding="utf-8")
        await _until_it_says(reader.letters / "help.answer", "/imagine")


async def test_added_folders_are_shown_and_documented(tree: Path) -> None:
    """`doctor` has a row for the platform and the model, `config` the variables, and `ask` reaches the provider."""
    reader = Reader(tree)
    rows = json.loads(await reader.reads("doctor", "--json"))
    assert {"letterbox", "chat"} <= {row["subject"] for row in rows if row["level"] == "ok"}
    assert "parrot:polly is awake" in [row["text"] for row in rows]
    page = await reader.reads("config")
    assert "`LETTERBOX_FOLDER`" in page and "`PARROT_GREETING`" in page
    assert await reader.reads("ask", "Polly?") == "Squawk! Polly?\n"


async def test_a_folder_that_says_nothing_is_named(tree: Path) -> None:
    """A platform's folder without its PLUGIN is an error that names the file, not a platform that is missing in silence."""
    (tree / "adapters/letterbox/__init__.py").write_text('"""No more."""\n', encoding="utf-8")
    process = await Reader(tree).starts("doctor")
    async with asyncio.timeout(DEADLINE_S):
        _, complaints = await process.communicate()
    assert process.returncode == WRONG
    assert complaints.decode() == "parley: adapters/letterbox/__init__.py holds no PLUGIN = AdapterPlugin(...).\n"


@pytest.mark.parametrize("path", sorted(written_files()))
def test_the_documents_keep_to_the_import_table(path: str) -> None:
    """What a reader copies passes the architecture test."""
    allowed = allowed_for(path)
    assert allowed is not None
    wrong = {one for one in imports_of(ast.parse(written_files()[path])) if not one.startswith(tuple(allowed))}
    assert not wrong
