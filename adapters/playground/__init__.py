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
        description="Password of the page. Unset: the page is served to browsers on this machine only.",
    )


def create(options: Options, host: Host) -> Playground:
    """Make the adapter; cheap."""
    from adapters.playground.listen import Playground

    return Playground(
        host,
        options.playground_password.get_secret_value() if options.playground_password else "",
        bound_to=options.host,
        max_upload_bytes=options.max_attachment_mb * 1024 * 1024,
    )


PLUGIN = AdapterPlugin(options=Options, capabilities=CAPABILITIES, create=create, has_page=True)
