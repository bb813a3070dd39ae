"""The check: `make test`. Every step runs even if an earlier one fails; one table says how it went.

python -m tests                 everything
python -m tests lint types      these steps alone
python -m tests tests -- -k slack --lf      what follows -- goes to pytest
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
SOURCES = ("bot", "adapters", "tests", "migrations", "bench")
WORKERS = "2"
"""Processes for the tests: more do not help where there are two cores, and each starts a PostgreSQL of its own."""
TESTS_FAILED = 1
"""pytest's status when tests failed, and nothing worse."""
PYTEST = (PYTHON, "-m", "pytest", "-q", "--color=auto")


@dataclass(frozen=True)
class Step:
    """One part of the check."""

    name: str
    promise: str
    command: tuple[str, ...]


STEPS = (
    Step("format", "the sources are formatted", (PYTHON, "-m", "ruff", "format", "--check", "--quiet", *SOURCES)),
    Step("lint", "no rule of pyproject.toml is broken", (PYTHON, "-m", "ruff", "check", "--quiet", *SOURCES)),
    Step("types", "strict types hold", (PYTHON, "-m", "mypy", "--no-error-summary")),
    Step(
        "migrations",
        "migrations and models are equal on SQLite and PostgreSQL",
        (*PYTEST, "tests/migrations"),
    ),
    Step("docs", "documents say what the code does", (*PYTEST, "tests/test_docs.py")),
    Step(
        "tests",
        "all other promises are kept",
        (*PYTEST, "-n", WORKERS, "--ignore=tests/migrations", "--ignore=tests/test_docs.py", "--durations=10"),
    ),
)


@dataclass(frozen=True)
class Outcome:
    """How one step went."""

    step: Step
    status: int
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Run the steps named, or all; gives 0 when every one of them held."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    names, more = arguments[:end], arguments[end + 1 :]
    steps = [step for step in STEPS if step.name in names] if names else list(STEPS)
    if unknown := set(names) - {step.name for step in STEPS}:
        say(f"There is no step {', '.join(sorted(unknown))}. Steps: {', '.join(step.name for step in STEPS)}.")
        return 2
    with tempfile.TemporaryDirectory(prefix="parley-check-", ignore_cleanup_errors=True) as folder:
        outcomes = [run(step, more, Path(folder)) for step in steps]
    say(summary(outcomes))
    return int(any(outcome.status for outcome in outcomes))


def run(step: Step, more: Sequence[str], folder: Path) -> Outcome:
    """Run one step, its output as it comes. more: for pytest.

    folder: where tests may write. pytest's own is shared by all its runs, and each new one shuts the others' PostgreSQL out.
    """
    say(f"--- {step.name}: {step.promise}")
    began = time.monotonic()
    options = (f"--basetemp={folder / step.name}", *more) if "pytest" in step.command else ()
    command = [*step.command, *options]
    status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    if status == TESTS_FAILED and step.name == "tests":
        status = again(folder)
    return Outcome(step, status, time.monotonic() - began)


def again(folder: Path) -> int:
    """Run what failed once more, alone, to tell a busy machine from a fault; what passes then is named, and is to be mended."""
    say("--- once more, alone: what failed")
    command = (*PYTEST, "--last-failed", "--last-failed-no-failures=none", f"--basetemp={folder / 'again'}")
    status = subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode
    if not status:
        say("UNSTEADY: the tests that failed above passed alone. They are to be mended.")
    return status


def environment() -> dict[str, str]:
    """What the steps see: no setting of the person who runs them."""
    ours = ("OPENAI_", "SLACK_", "DISCORD_", "PARLEY_", "PYTEST_ADDOPTS", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def summary(outcomes: Sequence[Outcome]) -> str:
    """The table at the end."""
    lines = ["", "step        result   seconds"]
    for outcome in outcomes:
        result = "ok" if not outcome.status else "FAILED"
        lines.append(f"{outcome.step.name:<11} {result:<8} {outcome.seconds:7.1f}")
    failed = [outcome.step.name for outcome in outcomes if outcome.status]
    lines.append(f"Failed: {', '.join(failed)}." if failed else "All is well.")
    return "\n".join(lines)


def say(text: str) -> None:
    """Tell the person, before what a step says next."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
