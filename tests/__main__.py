"""The check: `make test`. Every step runs even if an earlier one fails; one table says how it went.

python -m tests                 everything
python -m tests lint types      these steps alone
python -m tests tests -- -k slack --lf      what follows -- goes to pytest
python -m tests hard            the long forms alone: up to an hour

A test that fails once fails the check. What was skipped is named with its reason and counted at the end. Set-up is told apart from
the check: `weights` fetches the models that `make run` starts, and where they cannot be had their tests are skipped by name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.emulators.vendor import SKIPPED, SPECS

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
SOURCES = ("bot", "adapters", "tests", "migrations", "bench")
WORKERS = "2"
"""Processes for the tests: more do not help where there are two cores, and each starts a PostgreSQL of its own."""
WEIGHTS_S = 900.0
"""How long fetching the weights may take (some 630 MB); what came is kept, and the next check goes on from there."""
BEGAN = "CHECK_BEGAN"
"""The variable in which `make` says when it began to set up, in seconds since 1970."""
PYTEST = (PYTHON, "-m", "pytest", "-q", "--color=auto")


@dataclass(frozen=True)
class Step:
    """One part of the check."""

    name: str
    promise: str
    command: tuple[str, ...]
    is_setup: bool = False
    """It brings what tests need where that can be had: when it fails they are skipped, and the check goes on."""
    timeout_s: float | None = None


STEPS = (
    Step(
        "weights",
        "the models that `make run` starts are here, where they can be had",
        (PYTHON, "-m", "bot", "models", "pull"),
        is_setup=True,
        timeout_s=WEIGHTS_S,
    ),
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
HARD = Step("hard", "the long forms hold as well", (*PYTEST, "-m", "hard", "--timeout=3600", "--durations=10"))


@dataclass(frozen=True)
class Outcome:
    """How one step went."""

    step: Step
    status: int
    seconds: float
    counts: Counter[str] = field(default_factory=Counter)
    """Tests passed, failed and skipped, where the step ran tests."""
    skipped: Counter[str] = field(default_factory=Counter)
    """How many tests each reason skipped."""
    unheld: Counter[str] = field(default_factory=Counter)
    """How many tests passed without a check against each vendor's file, because it was not at hand."""


def main(arguments: Sequence[str]) -> int:
    """Run the steps named, or all; gives 0 when every one of them held."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    names, more = arguments[:end], arguments[end + 1 :]
    known = (*STEPS, HARD)
    steps = [step for step in known if step.name in names] if names else list(STEPS)
    if unknown := set(names) - {step.name for step in known}:
        say(f"There is no step {', '.join(sorted(unknown))}. Steps: {', '.join(step.name for step in known)}.")
        return 2
    installed_s = max(0.0, time.time() - float(os.environ.get(BEGAN) or time.time()))
    with tempfile.TemporaryDirectory(prefix="parley-check-", ignore_cleanup_errors=True) as folder:
        outcomes = [run(step, more, Path(folder)) for step in steps]
    say(summary(outcomes, installed_s))
    return int(any(outcome.status and not outcome.step.is_setup for outcome in outcomes))


def run(step: Step, more: Sequence[str], folder: Path) -> Outcome:
    """Run one step, its output as it comes. more: for pytest.

    folder: where tests may write. pytest's own is shared by all its runs, and each new one shuts the others' PostgreSQL out.
    """
    say(f"--- {step.name}: {step.promise}")
    began = time.monotonic()
    report = folder / f"{step.name}.xml"
    options = (f"--basetemp={folder / step.name}", f"--junitxml={report}", *more) if "pytest" in step.command else ()
    status = status_of([*step.command, *options], step.timeout_s)
    return Outcome(step, status, time.monotonic() - began, *counted(report))


def status_of(command: Sequence[str], timeout_s: float | None) -> int:
    """The status that a command ends with, or 124 when it took too long."""
    try:
        return subprocess.run(command, cwd=ROOT, env=environment(), timeout=timeout_s, check=False).returncode
    except subprocess.TimeoutExpired:
        return 124


def counted(report: Path) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """The counts of an outcome, read from pytest's report; nothing where no tests ran."""
    counts, reasons, unheld = Counter[str](), Counter[str](), Counter[str]()
    if not report.exists():
        return counts, reasons, unheld
    for case in ElementTree.parse(report).iter("testcase"):
        result = next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        counts["failed" if result in ("failure", "error") else result] += 1
        if (skip := case.find("skipped")) is not None:
            reasons[skip.get("message", "")] += 1
        for mark in case.iterfind("properties/property"):
            unheld[mark.get("value", "")] += mark.get("name") == SKIPPED
    return counts, reasons, unheld


def environment() -> dict[str, str]:
    """What the steps see: no setting of the person who runs them."""
    ours = ("OPENAI_", "SLACK_", "DISCORD_", "PARLEY_", "PYTEST_ADDOPTS", "DATABASE_URL")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def summary(outcomes: Sequence[Outcome], installed_s: float) -> str:
    """The table at the end, what was skipped and why, and the counts. installed_s: spent on packages before the first step."""
    lines = ["", "step        result   seconds", *map(line_of, outcomes), "", times(outcomes, installed_s)]
    if reasons := total(outcome.skipped for outcome in outcomes):
        lines += ["", "Skipped:", *(f"  {count:>3} x {reason}" for reason, count in sorted(reasons.items()))]
    if unheld := total(outcome.unheld for outcome in outcomes):
        told = (f"{name} ({count} tests)" for name, count in sorted(unheld.items()))
        lines += ["", f"Vendor checks skipped, for want of the file in {SPECS}: {', '.join(told)}"]
    failed = [outcome.step.name for outcome in outcomes if outcome.status and not outcome.step.is_setup]
    lines += ["", f"Failed: {', '.join(failed)}." if failed else "All is well."]
    if counts := total(outcome.counts for outcome in outcomes):
        lines.append(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return "\n".join(lines)


def line_of(outcome: Outcome) -> str:
    """One line of the table."""
    bad = "absent" if outcome.step.is_setup else "FAILED"
    return f"{outcome.step.name:<11} {bad if outcome.status else 'ok':<8} {outcome.seconds:7.1f}"


def times(outcomes: Sequence[Outcome], installed_s: float) -> str:
    """How long the set-up took, and how long the check itself."""
    fetched_s = sum(outcome.seconds for outcome in outcomes if outcome.step.is_setup)
    checked_s = sum(outcome.seconds for outcome in outcomes if not outcome.step.is_setup)
    parts = f"packages {installed_s:.0f} s, weights {fetched_s:.0f} s"
    return f"Set-up took {installed_s + fetched_s:.0f} s ({parts}); the check itself {checked_s:.0f} s."


def total(counts: Iterable[Counter[str]]) -> Counter[str]:
    """The sum, without what was counted zero times."""
    return +sum(counts, Counter[str]())


def say(text: str) -> None:
    """Tell the person, before what a step says next."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
