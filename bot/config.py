"""The environment, read once into one frozen Config; each error names its variable.

The core's variables are here and in `FolderOptions`, which holds those that a folder may read. Each adapter and provider adds its
own by the `options` of its PLUGIN, so that a platform's names stay in the platform's folder; Config inherits from all of them, and
a folder is handed the Config as its own options.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from urllib.parse import unquote, unquote_plus

from pydantic import Field, SecretStr, ValidationError, create_model, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

import adapters
from bot import providers
from bot.errors import ConfigError
from bot.policy.limits import LIMITS, Limits
from bot.ports.plugins import FolderOptions
from bot.types import MODALITIES, Modality

DEFAULT_SYSTEM_PROMPT = (
    "You are Parley, a helpful teammate in a chat. Answer in the language of the question, plainly and to the point. "
    "Use Markdown where it helps."
)

MAX_SHOWN = 60
"""Characters of a wrong value that an error shows."""
ASSIGNMENT = re.compile(r"""^\s*(?:export\s+)?([A-Z_0-9]+)\s*=\s*['"]?([^\s'"]+)""", re.MULTILINE)
"""A line of `.env` that sets a variable."""
PASSWORD = re.compile(r"://[^/:@\s]{0,128}:([^@\s]{1,512})@")
PASSWORD_ARGUMENT = re.compile(r"[?&](?:\w{0,32}password|passfile|api_?key|token)=([^&\s#]{1,512})", re.IGNORECASE)
NUMBERS: Mapping[Any, str] = {int: "a whole number", float: "a number"}


class CoreOptions(FolderOptions):
    """The variables of every installation."""

    database_url: SecretStr | None = Field(
        None,
        description="Where everything is kept: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`. "
        "Unset: a SQLite file in `PARLEY_HOME`.",
    )
    transcribe_model: str = Field("", description="Model that turns speech into text.")
    speech_model: str = Field("", description="Model that speaks.")
    image_model: str = Field("", description="Model that makes pictures.")
    embedding_model: str = Field("", description="Model that turns text into vectors.")
    system_prompt: str = Field(
        DEFAULT_SYSTEM_PROMPT, description="What every conversation starts from, whatever people set."
    )
    personas: dict[str, str] = Field(
        {},
        description='Further ways of answering for `/persona`, as JSON: `{"pirate": "Talk like a pirate."}`. '
        "An empty text takes a built-in one away.",
    )
    port: int = Field(8080, ge=0, le=65535, description="Port the web server listens on; 0 takes a free one.")
    metrics_token: SecretStr | None = Field(
        None,
        description="Opens `/metrics`, and the details of `/readyz`, to whoever sends it as `Authorization: Bearer …`. "
        "Unset: to programs on this machine only.",
    )
    worker_concurrency: int = Field(256, ge=1, le=1000, description="Turns that one process answers at once.")
    questions_per_minute: int = Field(
        LIMITS.questions_per_minute,
        ge=0,
        description="Questions that one person may ask in a minute; 0 for any number.",
    )
    waiting_questions: int = Field(
        LIMITS.waiting_questions, ge=0, description="Questions of one person that may wait at once; 0 for any number."
    )
    channel_questions_per_minute: int = Field(
        LIMITS.channel_questions_per_minute,
        ge=0,
        description="Questions that may be asked in one channel in a minute; 0 for any number.",
    )
    workspace_questions_per_minute: int = Field(
        LIMITS.workspace_questions_per_minute,
        ge=0,
        description="Questions that may be asked in one workspace or server in a minute; 0 for any number.",
    )
    paid_calls_per_minute: int = Field(
        LIMITS.paid_calls_per_minute,
        ge=0,
        description="Calls of models that one person may cause in a minute; 0 for any number.",
    )
    sound_minutes_per_day: int = Field(
        round(LIMITS.sound_s_per_day / 60),
        ge=0,
        description="Minutes of sound that one person may have heard in 24 hours; 0 for any number.",
    )
    stored_mb_per_person: int = Field(
        LIMITS.stored_bytes // 2**20,
        ge=0,
        description="MiB of files that are kept for one person; 0 for any number. `/forget` makes room.",
    )
    worker_name: str = Field(
        "",
        description="Name of this process among several on PostgreSQL, equal after a restart. Unset: the host's name.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="How much is logged.")
    log_format: Literal["text", "json"] = Field("text", description="Shape of the log lines.")

    @field_validator("chat_model", "transcribe_model", "speech_model", "image_model", "embedding_model")
    @classmethod
    def _has_known_provider(cls, value: str) -> str:
        if value and value != "none" and not _is_model_name(value):
            known = ", ".join(providers.names())
            raise ValueError(f"write it as provider:model, with a provider of {known}; or none")
        return value

    @field_validator("offered_models")
    @classmethod
    def _have_known_providers(cls, value: str) -> str:
        if not all(_is_model_name(one.strip()) for one in value.split(",") if one.strip()):
            known = ", ".join(providers.names())
            raise ValueError(f"write each as provider:model, with a provider of {known}, and commas between them")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_known_database(cls, value: SecretStr | None) -> SecretStr | None:
        if value and value.get_secret_value().partition(":")[0].partition("+")[0] not in (
            "sqlite",
            "postgresql",
            "postgres",
        ):
            raise ValueError("write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME")
        return value

    def named_model(self, modality: Modality) -> str:
        """The model that the environment names for this modality: `provider:model`, "none", or empty."""
        return str(getattr(self, f"{modality}_model"))


def limits_of(config: CoreOptions) -> Limits:
    """What the environment says about how much people may ask for; the rest is as the table has it.

    Commands go by the questions, three for one; where a person's questions may wait in any number, so may a channel's.
    """
    counts_waiting = config.waiting_questions > 0
    return replace(
        LIMITS,
        commands_per_minute=3 * config.questions_per_minute,
        channel_waiting_questions=LIMITS.channel_waiting_questions if counts_waiting else 0,
        workspace_waiting_questions=LIMITS.workspace_waiting_questions if counts_waiting else 0,
        questions_per_minute=config.questions_per_minute,
        waiting_questions=config.waiting_questions,
        channel_questions_per_minute=config.channel_questions_per_minute,
        workspace_questions_per_minute=config.workspace_questions_per_minute,
        paid_calls_per_minute=config.paid_calls_per_minute,
        sound_s_per_day=config.sound_minutes_per_day * 60.0,
        stored_bytes=config.stored_mb_per_person * 2**20,
        recording_s=config.max_recording_minutes * 60.0,
    )


def _is_model_name(value: str) -> bool:
    provider, _, model = value.partition(":")
    return bool(model) and provider in providers.names()


class _FileSecrets(PydanticBaseSettingsSource):
    """`NAME_FILE` names a file that holds the value of NAME, as container platforms hand out secrets."""

    def __init__(self, settings_cls: type[BaseSettings], variables: Mapping[str, str]) -> None:
        super().__init__(settings_cls)
        self._variables = {name.upper(): value for name, value in variables.items()}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        variable = f"{field_name.upper()}_FILE"
        path = self._variables.get(variable)
        if not path:
            return None, field_name, False
        try:
            return Path(path).read_text(encoding="utf-8").strip(), field_name, False
        except OSError as error:
            raise ConfigError(f"{variable} names {path}, which cannot be read: {error.strerror}.") from error

    def __call__(self) -> dict[str, Any]:
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class Config(CoreOptions):
    """Everything the environment says. Its real class adds the options of every adapter and provider."""


def _folder_options() -> dict[str, type[FolderOptions]]:
    options = {name: plugin.options for name, plugin in adapters.plugins().items()}
    options |= {name: plugin.options for name, plugin in providers.plugins().items()}
    return {name: one for name, one in options.items() if one is not FolderOptions}


def variable_groups() -> dict[str, dict[str, FieldInfo]]:
    """The fields of Config in groups: `core`, and one for each adapter and provider that adds any."""
    core = dict(CoreOptions.model_fields)
    groups = {name: dict(options.model_fields) for name, options in _folder_options().items()}
    own = {name: {key: one for key, one in fields.items() if key not in core} for name, fields in groups.items()}
    return {"core": core, **own}


@cache
def _settings_class() -> type[BaseSettings]:
    class Environment(BaseSettings):
        model_config = SettingsConfigDict(
            frozen=True, extra="ignore", env_ignore_empty=True, env_file_encoding="utf-8", hide_input_in_errors=True
        )

        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            """The environment wins over `NAME_FILE`, and that over `.env`."""
            assert isinstance(dotenv_settings, DotEnvSettingsSource)
            in_dotenv = {name: value for name, value in dotenv_settings.env_vars.items() if value is not None}
            files = _FileSecrets(settings_cls, {**in_dotenv, **os.environ})
            return init_settings, env_settings, files, dotenv_settings

    bases: tuple[Any, ...] = (*_folder_options().values(), Config, Environment)
    made: type[BaseSettings] = create_model("Config", __base__=bases)
    return made


def load(env_file: Path | None = Path(".env"), **overrides: Any) -> Config:
    """Read the environment, `.env` and `NAME_FILE` files; raises ConfigError that names each wrong variable.

    overrides: values by field name that win over all, for tests and command-line flags.
    """
    try:
        return _settings_class()(_env_file=env_file, **overrides)  # type: ignore[return-value]
    except ValidationError as error:
        raise ConfigError("\n".join(_complaint(problem) for problem in error.errors(include_url=False))) from error


def _complaint(problem: Mapping[str, Any]) -> str:
    """The variable, its value unless it is a secret, and what would be right."""
    name = str(problem["loc"][0]) if problem["loc"] else ""
    field = _settings_class().model_fields.get(name.lower())
    said = str(problem["msg"]).removeprefix("Value error, ")
    if field is None:
        return f"{name.upper() or 'The configuration'}: {said[:1].lower()}{said[1:]}."
    wanted = "" if problem["type"] == "value_error" else _wanted(field)
    return f"{name.upper()}{_found(problem['input'], field)}: {wanted or said[:1].lower() + said[1:]}."


def _found(value: Any, field: FieldInfo) -> str:
    if is_secret(field):
        return ""
    flat = re.sub(r"(^|//)[^/@\s]*@", r"\1…@", " ".join(str(value).split()))
    return f"={flat}" if len(flat) <= MAX_SHOWN else f"={flat[:MAX_SHOWN]}…"


def _wanted(field: FieldInfo) -> str:
    """What the variable takes, in words; empty where its type does not say."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return "write " + " or ".join(filter(None, (", ".join(get_args(kind)[:-1]), get_args(kind)[-1])))
    if kind not in NUMBERS:
        return ""
    limits = {name: getattr(one, name) for one in field.metadata for name in ("ge", "gt", "le") if hasattr(one, name)}
    low, high = limits.get("ge"), limits.get("le")
    if low is not None and high is not None:
        return f"write {NUMBERS[kind]} from {low} to {high}"
    bound = f" of at least {low}" if low is not None else " above 0" if limits.get("gt") == 0 else ""
    return f"write {NUMBERS[kind]}{bound}"


def is_secret(field: FieldInfo) -> bool:
    """Whether the variable holds a secret."""
    return "SecretStr" in str(field.annotation)


def secrets_of(config: Config) -> Iterator[str]:
    """Every secret that the environment gave: keys and tokens, each of several, and the passwords in addresses."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        said = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        if isinstance(value, SecretStr) and "://" not in said:
            yield from (said, *said.replace(",", " ").split())
        yield from _passwords(said)


def files_with_secrets(env_file: Path) -> list[Path]:
    """The files that this process reads secrets from, those that exist: `.env` if it names one, and those of `NAME_FILE`."""
    named = {name.upper() for name, field in _settings_class().model_fields.items() if is_secret(field)}
    in_dotenv = (
        dict(ASSIGNMENT.findall(env_file.read_text(encoding="utf-8", errors="replace"))) if env_file.is_file() else {}
    )
    variables = in_dotenv | {name.upper(): value for name, value in os.environ.items() if value}
    own = [env_file] if any(name.removesuffix("_FILE") in named for name in in_dotenv) else []
    files = [
        Path(value)
        for name, value in variables.items()
        if name.removesuffix("_FILE") in named and name.endswith("_FILE")
    ]
    return [path for path in (*own, *files) if path.exists()]


def _passwords(text: str) -> Iterator[str]:
    """The passwords of the addresses in a text, as they stand there and as they are meant."""
    for found in PASSWORD.finditer(text):
        yield from (found[1], unquote(found[1]))
    for found in PASSWORD_ARGUMENT.finditer(text):
        yield from (found[1], unquote_plus(found[1]))


__all__ = [
    "MODALITIES",
    "Config",
    "CoreOptions",
    "files_with_secrets",
    "is_secret",
    "limits_of",
    "load",
    "secrets_of",
    "variable_groups",
]
