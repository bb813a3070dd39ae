"""The playground: a web page as a platform, where one types, drops files, records a voice note and hears the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field, SecretStr

from bot.types import Capabilities

if TYPE_CHECKING:
    from adapters.playground.listen import Playground
    from bot.ports import Host

CAPABILITIES = Capabilities(
    max_text=1_000_000,
    has_ephemeral=False,
    upload_limit_bytes=200 * 1024 * 1024,
    keeps_history=False,
)

HAS_PAGE = True
"""A person opens it at the web server's own address."""


class Options(BaseModel):
    """The page's own variables."""

    playground_password: SecretStr | None = Field(
        None,
        description="Password of the page. Unset: the page is served to browsers on this machine only.",
    )


def missing(options: BaseModel) -> tuple[str, ...]:
    """Nothing has to be set: the page is always there."""
    return ()


def create(options: Options, host: Host) -> Playground:
    """Make the adapter; cheap. options: the whole configuration, of which the page also reads HOST and MAX_ATTACHMENT_MB."""
    from adapters.playground.listen import Playground

    return Playground(
        host,
        options.playground_password.get_secret_value() if options.playground_password else "",
        bound_to=str(getattr(options, "host", "127.0.0.1")),
        max_upload_bytes=int(getattr(options, "max_attachment_mb", 200)) * 1024 * 1024,
    )
