"""What a person may set: each setting declared once, with its values, its meaning and its scopes.

The parser, the allowed values in words, what platforms suggest and what a model may refuse are all read from `Choices` below; its
fields are those of `bot.types.Settings`. A choice of a conversation comes before a person's, a person's before a channel's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StringConstraints, TypeAdapter, ValidationError

from bot.errors import UsageError
from bot.types import Address, Scope, Settings

SCOPE_WORDS: Mapping[str, Scope] = {
    "conversation": "conversation",
    "here": "conversation",
    "channel": "channel",
    "me": "person",
    "person": "person",
}
"""What a person may call the scopes."""
SCOPE_ORDER: tuple[Scope, ...] = ("channel", "person", "conversation")
"""The weakest first."""
MAX_NAMED = 60
"""Characters of an unknown name that the person reads again."""
ESCAPES = {"n": "\n", "t": "\t", "\\": "\\"}
ESCAPE = re.compile(r"\\([nt\\])")
"""How a person writes what cannot be typed into a command; every other character stands for itself."""


# --- The kinds of values ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class InWords:
    """Which values there are, where the type does not tell it by itself."""

    text: str


@dataclass(frozen=True)
class Suggested:
    """Values to offer, where others are allowed too."""

    values: tuple[str, ...]


@dataclass(frozen=True)
class ModelDependent:
    """Not every model takes it: `ModelProfile.settings` says which do."""


def _decimal_point(text: Any) -> Any:
    return text.replace(",", ".") if isinstance(text, str) else text


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


def _provider_and_model(text: str) -> str:
    provider, colon, model = text.partition(":")
    if not (provider and colon and model):
        raise ValueError("a provider, a colon and a model")
    return text


def _stop_texts(text: Any) -> Any:
    """`a, "b", \\n` as three texts."""
    if not isinstance(text, str):
        return text
    pieces = (piece.strip().strip('"') for piece in text.split(","))
    return tuple(ESCAPE.sub(lambda escaped: ESCAPES[escaped[1]], piece) for piece in pieces if piece)


Number = Annotated[float, BeforeValidator(_decimal_point)]
Words = Annotated[str, StringConstraints(min_length=1)]
AnyCase = BeforeValidator(_lower)
ModelName = Annotated[str, AfterValidator(_provider_and_model), InWords("provider:model, such as openai:gpt-6-luna")]
StopTexts = Annotated[
    tuple[str, ...],
    Field(min_length=1, max_length=4),
    BeforeValidator(_stop_texts),
    InWords("one to four texts, separated by commas"),
]
Persona = Annotated[Words, MaxLen(64), InWords("a name that /persona lists, or default")]
Voice = Annotated[Words, MaxLen(64), InWords("a voice of the speech model")]
Size = Annotated[
    Words,
    MaxLen(16),
    Suggested(("auto", "square", "landscape", "portrait")),
    InWords("auto, square, landscape, portrait, or 1536x1024"),
]
Effort = Annotated[Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"], AnyCase, ModelDependent()]
Verbosity = Annotated[Literal["low", "medium", "high"], AnyCase, ModelDependent()]
Quality = Annotated[Literal["auto", "low", "medium", "high", "xhigh", "max"], AnyCase]
Speech = Annotated[Literal["mirror", "always", "never"], AnyCase]
Follow = Annotated[Literal["thread", "always", "mention", "never"], AnyCase]
Language = Annotated[Words, MaxLen(8), InWords("a code such as en or de")]
Penalty = Annotated[Number, Ge(-2), Le(2), ModelDependent()]


class Choices(BaseModel):
    """Every setting: its values, and what it does."""

    model: ModelName = Field(description="The model that answers.")
    system_prompt: Annotated[Words, MaxLen(8_000)] = Field(
        description="What the model is told beside its instructions, which stay."
    )
    persona: Persona = Field(description="Who answers.")
    temperature: Annotated[Number, Ge(0), Le(2), ModelDependent()] = Field(description="How freely it picks words.")
    top_p: Annotated[Number, Ge(0), Le(1), ModelDependent()] = Field(
        description="How many unlikely words it considers."
    )
    max_tokens: Annotated[int, Ge(16), Le(128_000), ModelDependent()] = Field(description="How long an answer may be.")
    frequency_penalty: Penalty = Field(description="How much it avoids repeating words.")
    presence_penalty: Penalty = Field(description="How much it seeks new subjects.")
    stop: Annotated[StopTexts, ModelDependent()] = Field(description="Where it stops writing.")
    effort: Effort = Field(description="How long it thinks.")
    verbosity: Verbosity = Field(description="How much it says.")
    speech: Speech = Field(description="When answers are spoken: mirror speaks to those who spoke.")
    voice: Voice = Field(description="Whose voice speaks.")
    image_size: Size = Field(description="Size of pictures.")
    image_quality: Quality = Field(description="Quality of pictures.")
    follow: Follow = Field(
        description="What is answered without a mention: replies in threads of ours, everything, or nothing."
    )
    language: Language = Field(description="Language spoken in voice notes, when it is always the same.")


# --- What is read from the declaration -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """One setting, as commands, forms and pages need it."""

    name: str
    summary: str
    allowed: str
    """The allowed values in words, as in "0 to 2"."""
    suggestions: tuple[str, ...]
    """Values to choose from in a menu; empty when there are none to name."""
    is_closed: bool
    """Only the suggestions are allowed."""
    is_model_dependent: bool
    """A model may not take it."""
    parser: TypeAdapter[Any]

    def parse(self, text: str) -> Any:
        """The value that a person wrote; raises UsageError that says what is allowed."""
        try:
            return self.parser.validate_python(text.strip())
        except ValidationError as error:
            raise UsageError(f"{self.name} takes {self.allowed}.") from error


def _setting(name: str) -> Setting:
    field = Choices.model_fields[name]
    kind: Any = field.annotation
    literals = tuple(str(one) for one in get_args(kind)) if get_origin(kind) is Literal else ()
    suggested = next((one.values for one in field.metadata if isinstance(one, Suggested)), ())
    return Setting(
        name=name,
        summary=field.description or "",
        allowed=_in_words(kind, field.metadata),
        suggestions=literals or suggested,
        is_closed=bool(literals),
        is_model_dependent=any(isinstance(one, ModelDependent) for one in field.metadata),
        parser=TypeAdapter(Annotated[kind, *field.metadata]),
    )


def _in_words(kind: Any, metadata: Sequence[Any]) -> str:
    """The allowed values, by what is said of them or by what the type says."""
    said = [one.text for one in metadata if isinstance(one, InWords)]
    if said:
        return said[-1]
    if get_origin(kind) is Literal:
        return ", ".join(get_args(kind))
    if kind is str:
        return f"up to {next(one.max_length for one in metadata if isinstance(one, MaxLen)):,} characters"
    low = next(one.ge for one in metadata if isinstance(one, Ge))
    high = next(one.le for one in metadata if isinstance(one, Le))
    return f"{low} to {high}{' tokens' if kind is int else ''}"


SETTINGS: Mapping[str, Setting] = {name: _setting(name) for name in Choices.model_fields}
"""Every setting by its name, in the order to show."""
MODEL_DEPENDENT: tuple[str, ...] = tuple(one.name for one in SETTINGS.values() if one.is_model_dependent)
"""Those that not every model takes."""


def known_name(name: str) -> str:
    """The setting's name as it is kept; raises UsageError for an unknown one."""
    name = name.lower().replace("-", "_")
    if name not in SETTINGS:
        raise UsageError(f"There is no setting {name[:MAX_NAMED]!r}. There are: {', '.join(SETTINGS)}.")
    return name


def parse_setting(name: str, text: str) -> tuple[str, Any]:
    """The setting's name and value; raises UsageError that says what is allowed."""
    name = known_name(name)
    return name, SETTINGS[name].parse(text)


# --- What holds ------------------------------------------------------------------------------------------------------


def scopes(address: Address, author_id: str) -> Sequence[tuple[Scope, str]]:
    """The three scopes of settings that hold for a person at a place, each with its id."""
    return (
        ("channel", address.channel),
        ("person", author_id),
        ("conversation", f"{address.channel}/{address.thread}"),
    )


def merge_settings(rows: Mapping[Scope, Mapping[str, Any]]) -> Settings:
    """What holds, of what was chosen in each scope. A name that this version does not know is left out."""
    known = {field.name for field in fields(Settings)}
    merged: dict[str, Any] = {}
    for scope in SCOPE_ORDER:
        merged |= {name: value for name, value in rows.get(scope, {}).items() if name in known}
    return Settings(**merged)
