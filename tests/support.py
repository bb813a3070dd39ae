"""What tests look at behind the platform: the echo models, what they were asked, and the rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bot.app import App
from bot.providers.echo import EchoProvider
from bot.types import Quoted, Text


def echo(app: App) -> EchoProvider:
    """The provider behind the models."""
    provider = app.providers["echo"]
    assert isinstance(provider, EchoProvider)
    return provider


def last_request(app: App) -> Any:
    """What the chat model read last."""
    return [call for call in echo(app).calls if call.modality == "chat"][-1].request


def words(request: Any) -> list[str]:
    """The texts that a model read, those that others wrote among them, without the system's."""
    return [part.text for message in request.messages[1:] for part in message.parts if isinstance(part, Text | Quoted)]


def spoken(request: Any) -> list[tuple[str, str]]:
    """The texts that a model read, without the system's, each with whose it is said to be."""
    return [
        (message.author, part.text)
        for message in request.messages[1:]
        for part in message.parts
        if isinstance(part, Text | Quoted)
    ]


async def rows(app: App, table: Any) -> list[Any]:
    """All rows of a table."""
    async with app.store.connect(write=False) as connection:
        return list(await connection.execute(select(table)))
