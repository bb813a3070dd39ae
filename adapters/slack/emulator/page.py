"""Owns the page that shows the workspace to a person."""

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from .emulator import SlackEmulator


class Page:
    """Serves the page and what it asks for."""

    def __init__(self, slack: "SlackEmulator") -> None:
        self._slack = slack

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Put the page's addresses beside the API's."""
