"""What the folder of a platform or of a provider says about itself: one typed value, its `PLUGIN`.

`adapters/NAME/__init__.py` holds `PLUGIN = AdapterPlugin(...)`, `bot/providers/NAME/__init__.py` a `ProviderPlugin(...)`. Nothing
else of a folder is looked at from outside.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic import BaseModel, Field, SecretStr

from bot.ports.host import Host
from bot.ports.models import Provider
from bot.ports.platform import Adapter
from bot.ports.weights import WeightsLibrary
from bot.types import Capabilities, CommandSpec, Modality

if TYPE_CHECKING:
    import click  # for the type alone: only the command line needs the library


def default_home() -> Path:
    """The user's data folder for Parley, by the system's custom. Source: XDG Base Directory Specification."""
    if home := os.environ.get("XDG_DATA_HOME"):
        return Path(home) / "parley"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "parley"
    return Path("~/.local/share/parley").expanduser()


class FolderOptions(BaseModel):
    """The core's variables that a folder may read. The `Options` of every folder inherit from this, and add the folder's own."""

    parley_home: Path = Field(
        default_factory=default_home,
        description="Folder for the database, the local models and the lock files.",
    )
    parley_secret_key: SecretStr | None = Field(
        None,
        description="Encrypts stored tokens: one key or several, separated by commas; the first writes, all read. "
        "`parley secret-key` makes one.",
    )
    chat_model: str = Field("", description="Model that answers, as `provider:model`, such as `openai:gpt-5.2`.")
    offered_models: str = Field(
        "",
        description="Further models that people may choose with `/settings set model`, as `provider:model`, separated by commas.",
    )
    host: str = Field("127.0.0.1", description="Address the web server listens on.")
    max_connections: int = Field(
        1_000,
        ge=16,
        le=60_000,
        description="Connections that the web server holds at once, if the system allows as many.",
    )
    max_connections_per_address: int = Field(
        250, ge=8, le=60_000, description="Of them from one address. Behind a proxy all come from one: raise it there."
    )
    max_attachment_mb: int = Field(200, ge=1, description="Attachments above this size are refused, in MiB.")
    max_recording_minutes: int = Field(
        120, ge=1, le=240, description="Longer recordings are refused: listening is paid by the minute."
    )

    def operator_models(self) -> tuple[str, ...]:
        """The chat models that the operator names, as `provider:model`: the one that answers first, then those on offer."""
        named = (self.chat_model, *self.offered_models.split(","))
        return tuple(dict.fromkeys(name for one in named if (name := one.strip()) and name != "none"))


OptionsT = TypeVar("OptionsT", bound=FolderOptions)


class CommandLine(Protocol):
    """What `click.pass_obj` hands the commands of a folder."""

    @property
    def commands(self) -> Mapping[str, CommandSpec]:
        """Every slash command by its name."""

    def config(self, *, quiet: bool = False) -> Any:
        """The whole configuration, which the folder's options are a part of. Raises ConfigError.

        quiet: nothing is logged, for commands that tell a person themselves what went wrong.
        """


@dataclass(frozen=True, kw_only=True)
class AdapterPlugin(Generic[OptionsT]):
    """A platform. Its folder's name is the platform's name."""

    options: type[OptionsT]
    """Its variables. Each field is a variable of the environment, its description the documentation."""
    capabilities: Capabilities
    """What the platform can do at best; `Adapter.capabilities` says what this installation of it can do."""
    create: Callable[[OptionsT, Host], Adapter]
    """Make the adapter. Called once, when `missing` names nothing; connects to nothing yet."""
    missing: Callable[[OptionsT], tuple[str, ...]] = lambda options: ()
    """The variables that have to be set before the platform is on, by their names; none when it is on."""
    commands: Callable[[], Sequence[click.Command]] = lambda: ()
    """What the command line gets: a group named as the folder, or commands that become one, `parley NAME …`.

    `click.pass_obj` hands them a `CommandLine`.
    """
    entrance: Callable[[OptionsT, str], str] | None = None
    """Of a platform that is a page: the path by which a person on this machine enters it. It gets `Host.entrance_key`, too."""
    is_listed: bool = True
    """Whether the overview at start and `doctor` have a row for it."""


@dataclass(frozen=True, kw_only=True)
class ProviderPlugin(Generic[OptionsT]):
    """A vendor, a server or this machine. Its folder's name is the `provider` in `provider:model`."""

    options: type[OptionsT]
    """Its variables, as an adapter's."""
    create: Callable[[OptionsT], Provider]
    """Make the provider. Called once, when `missing` names nothing; connects to nothing and loads nothing yet."""
    missing: Callable[[OptionsT], tuple[str, ...]] = lambda options: ()
    """What has to be set or installed before the provider is on; nothing when it is on."""
    hint: Callable[[Modality, OptionsT], str] = lambda modality, options: ""
    """What the operator can do to bring a model of a modality that is off, such as "set OPENAI_API_KEY"; empty for nothing."""
    validate: Callable[[Modality, str], str] = lambda modality, model: ""
    """What is wrong with a model that the operator named, for the error at start; empty when nothing is known to be."""
    weights: Callable[[OptionsT], WeightsLibrary] | None = None
    """What `parley models` lists and fetches, for a provider that keeps weights on this machine."""
    preference: int = 100
    """Where no model is named, the default of the provider with the lowest preference is taken, of those that have one."""
    only_when_named: bool = False
    """On only when a variable names one of its models; never chosen by default, hinted at or offered to people otherwise."""
