"""The playground: a web page as a platform, where one types, drops files, records a voice note and hears the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from bot.ports.plugins import AdapterPlugin, FolderOptions
from bot.types import Capabilities

if TYPE_CHECKING:
    from adapters.playground.listen import Playground
    from bot.ports import Host

CAPABILITIES = Capabilities()


class Options(FolderOptions):
    """The page's own variables."""

    playground_password: SecretStr | None = Field(
        None,
        description="Password of the page. Unset: the page is served to whoever opens, on this machine, the address that Parley "
        "prints when it starts.",
    )
    playground_open: bool = Field(
        False,
        description="1 serves the page without a password to whoever reaches it, through proxies too; they spend what the "
        "models cost.",
    )


def create(options: Options, host: Host) -> Playground:
    """Make the adapter; cheap."""
    from adapters.playground.listen import Playground

    return Playground(
        host,
        options.playground_password.get_secret_value() if options.playground_password else "",
        is_open=options.playground_open,
        bound_to=options.host,
        max_upload_bytes=options.max_attachment_mb * 1024 * 1024,
        max_streams=(streams_within(options.max_connections_per_address), streams_within(options.max_connections)),
    )


def streams_within(connections: int) -> int:
    """Return how many open pages may take of so many connections, so that some are left to ask by."""
    return connections * 2 // 5


def entrance(options: Options, key: str) -> str:
    """Return where a person on this machine enters the page. key: of this start of Parley, for a page without a password."""
    return "/" if options.playground_password or options.playground_open else f"/?key={key}"


PLUGIN = AdapterPlugin(options=Options, capabilities=CAPABILITIES, create=create, entrance=entrance)
