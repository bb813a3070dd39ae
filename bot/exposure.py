"""What `doctor` warns of on this machine itself: keys that others can read, metrics that they can see, too few descriptors."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from bot.config import Config, files_with_secrets
from bot.store.private_files import open_to_others
from bot.types import Diagnostic

try:
    import resource
except ImportError:  # Windows, where sockets are counted apart from files
    resource = None  # type: ignore[assignment]

LEAST_DESCRIPTORS = 2_048
"""A thousand visitors' connections, and as many files, processes and connections of our own."""
LEAST_TOKEN = 16
"""Characters of a token that nobody guesses."""
HANDED_OUT = (Path("/run"), Path("/var/run"))
"""Where container platforms lay secrets for the one program in the container, with modes of their own choice."""


def exposure(config: Config, *, env_file: Path = Path(".env"), most_descriptors: int | None = None) -> list[Diagnostic]:
    """Warnings alone. most_descriptors: that the system lets this process have; None asks it."""
    files = [path for path in files_with_secrets(env_file) if not path.is_relative_to(HANDED_OUT[0])]
    found = _readable(path for path in files if not path.is_relative_to(HANDED_OUT[1]))
    found += _metrics(config)
    return found + _descriptors(most_descriptors if most_descriptors is not None else _allowed())


def _readable(paths: Iterable[Path]) -> list[Diagnostic]:
    if not (readable := open_to_others(paths)):
        return []
    named = " ".join(shlex.quote(str(path)) for path in readable)
    text = f"other users of this machine can read keys of Parley's; close them with: chmod go-rwx {named}"
    return [Diagnostic("keys", "warning", text)]


def _metrics(config: Config) -> list[Diagnostic]:
    token = config.metrics_token.get_secret_value() if config.metrics_token else ""
    if not token or len(token) >= LEAST_TOKEN:
        return []
    text = f"whoever guesses it sees what Parley does and spends; take {LEAST_TOKEN} characters or more, at random"
    return [Diagnostic("metrics", "warning", text, "METRICS_TOKEN")]


def _descriptors(most: int) -> list[Diagnostic]:
    if most >= LEAST_DESCRIPTORS:
        return []
    text = (
        f"this process may have {most:,} files and connections open at once, which a few hundred visitors use up; "
        f"allow {LEAST_DESCRIPTORS:,}, by `ulimit -n {LEAST_DESCRIPTORS}` or systemd's LimitNOFILE"
    )
    return [Diagnostic("descriptors", "warning", text)]


def _allowed() -> int:
    """As many as the process may raise its limit to; the web server does."""
    if resource is None:
        return LEAST_DESCRIPTORS
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return LEAST_DESCRIPTORS if hard == resource.RLIM_INFINITY else hard
