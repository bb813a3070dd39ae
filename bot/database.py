"""Where the database is, and bringing it to this version; what goes wrong names DATABASE_URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import URL

from bot.config import Config
from bot.errors import ConfigError, StoreError
from bot.store import Store
from bot.store.file_locks import lock_file, lock_path
from bot.store.migrate import migrate

SERVING = "serving"
"""The name of the lock that the one process holds which serves a SQLite database."""
POSTGRES_PORT = 5432
NO_ANSWER = ("refused", "timeout", "time out", "timed out", "resolve", "unreachable")
"""Words in a driver's error that mean that no server answered."""


def store_url(config: Config) -> str:
    """Where the database is: as configured, or a SQLite file in the home folder."""
    if config.database_url:
        return config.database_url.get_secret_value()
    return URL.create("sqlite", database=str(config.parley_home / "parley.db")).render_as_string()


@contextmanager
def serving(store: Store) -> Iterator[None]:
    """Serve this database inside. Raises ConfigError when it is a SQLite file that another process serves.

    Only one process can hold the order of conversations in memory; what only asks, as `parley ask` does, works beside it.
    """
    if store.is_shared:
        yield
        return
    try:
        file = lock_file(lock_path(store.url, SERVING))
    except OSError:  # the folder is not ours to write in, which the database says better
        yield
        return
    if file is None:
        raise ConfigError(
            f"Another Parley serves {store.url.database} already. Stop it, or give this one a database of its own by PARLEY_HOME "
            "or DATABASE_URL; several processes can share one on PostgreSQL."
        )
    with file:
        yield


async def migrated(store: Store) -> None:
    """Bring the database to this version. Raises ConfigError when a database server cannot be used, StoreError."""
    try:
        await migrate(store)
    except StoreError as error:
        if not store.is_shared:
            raise
        raise ConfigError(_no_database(store.url, error.detail), detail=error.detail) from error


def _no_database(url: URL, cause: str) -> str:
    """Names the variable and the server, never the password. cause: the driver's words; its first line says why."""
    at = f"{url.host or 'localhost'}:{url.port or POSTGRES_PORT}"
    why = re.sub(r"^.*(failed|FATAL|ERROR): +", "", cause.strip().partition("\n")[0]).rstrip(".")
    if any(word in why.lower() for word in NO_ANSWER):
        return f"DATABASE_URL: PostgreSQL at {at} did not answer: {why}. Start it, or set DATABASE_URL to where it is."
    return f"DATABASE_URL: PostgreSQL at {at} refused the connection: {why}."
