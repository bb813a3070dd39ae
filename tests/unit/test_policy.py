"""The rules: who is addressed, who may see and do what, what holds, and how much. Tables of cases, no database."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args, get_type_hints

import pytest

from bot.engine.commands import SPECS
from bot.errors import UsageError
from bot.policy.addressing import (
    addresses_bot,
    answered_at,
    as_command,
    follows,
    is_answerable,
    known_command,
    typed_command,
)
from bot.policy.changes import SettingsChange, is_announced, settings_change
from bot.policy.limits import LIMITS
from bot.policy.permissions import forgettable_author, may_change, may_press, may_set
from bot.policy.prompts import ACTION_PROMPTS
from bot.policy.settings import MODEL_DEPENDENT, SETTINGS, known_name, merge_settings, parse_setting
from bot.policy.visibility import history_for, is_in_context, is_private_answer
from bot.types import (
    ACTIONS,
    Address,
    Author,
    ButtonPress,
    Command,
    Deletion,
    Edit,
    InboundMessage,
    Message,
    Settings,
    Text,
)

ANN, BEN = Author("U-ann", "Ann"), Author("U-ben", "Ben")
HERE = Address("fake", "W1", "C1")
SAID = InboundMessage("E1", "M1", HERE, ANN, "hello")


# --- Who is addressed ------------------------------------------------------------------------------------------------


def test_posts_of_bots_start_nothing() -> None:
    """Parley's own posts and those of other bots are never answered; a person's are."""
    assert is_answerable(ANN)
    assert not is_answerable(replace(ANN, is_bot=True))


@pytest.mark.parametrize(
    ("changes", "is_addressed"),
    [({}, False), ({"is_direct": True}, True), ({"mentions_bot": True}, True), ({"intent": "translate"}, True)],
)
def test_a_message_addresses_the_bot(changes: dict[str, Any], is_addressed: bool) -> None:
    """A direct message, a mention, and a message menu are for Parley whatever the settings; other messages are not."""
    assert addresses_bot(replace(SAID, **changes)) is is_addressed


@pytest.mark.parametrize(
    ("follow", "has_turns", "changes", "is_followed"),
    [
        (None, True, {"address": replace(HERE, thread="T1")}, True),
        ("thread", True, {"address": replace(HERE, thread="T1")}, True),
        ("thread", True, {}, False),
        ("thread", False, {"address": replace(HERE, thread="T1")}, False),
        ("thread", True, {"address": replace(HERE, thread="T1"), "mentions_others": True}, False),
        ("always", False, {}, True),
        ("mention", True, {"address": replace(HERE, thread="T1")}, False),
        ("never", True, {"address": replace(HERE, thread="T1")}, False),
    ],
)
def test_what_is_followed(follow: Any, has_turns: bool, changes: dict[str, Any], is_followed: bool) -> None:
    """Without a mention, replies in a thread where Parley answered are answered, unless they call somebody else by name."""
    assert follows(replace(SAID, **changes), Settings(follow=follow), has_turns=has_turns) is is_followed


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("/help", ("help", "")),
        ("  /ask   what is\nthis? ", ("ask", "what is\nthis?")),
        ("/no_such-one", ("no_such-one", "")),
        ("/etc/hosts is a file", None),
        ("/Help", None),
        ("say /help", None),
        ("/", None),
    ],
)
def test_what_has_the_shape_of_a_command(text: str, typed: tuple[str, str] | None) -> None:
    """A slash, a name in small letters and the rest; a path or a slash in the middle of a sentence is plain talk."""
    assert typed_command(text) == typed


def test_only_known_commands_are_commands() -> None:
    """A text that spells no command there is stays talk, and the same text to nobody in particular does too."""
    assert known_command("/help", SPECS) and not known_command("/nonsense", SPECS)
    mention = replace(SAID, text="/usage 7", mentions_bot=True, wants_speech=True)
    command = as_command(mention, SPECS)
    assert isinstance(command, Command)
    assert (command.name, command.text, command.ephemeral, command.wants_speech) == ("usage", "7", False, True)
    for talk in (
        replace(mention, mentions_bot=False),
        replace(mention, text="/nonsense"),
        replace(mention, intent="describe"),
    ):
        assert as_command(talk, SPECS) is talk


# --- Who may see -----------------------------------------------------------------------------------------------------

USAGE = Command("E2", HERE, ANN, "usage")
ASK = Command("E3", HERE, ANN, "ask", "hello")


@pytest.mark.parametrize(
    ("inbound", "is_private", "in_context"),
    [
        (SAID, False, True),
        (ASK, False, True),
        (USAGE, True, False),
        (replace(USAGE, is_direct=True), True, False),
        (replace(SAID, ephemeral=True), True, False),
        (replace(SAID, ephemeral=True, is_direct=True), True, True),
        (Command("E4", HERE, ANN, "nonsense"), False, True),
    ],
)
def test_who_sees_an_answer(inbound: InboundMessage | Command, is_private: bool, in_context: bool) -> None:
    """A command about its author is theirs alone and no model's; a private answer is read on only where one is alone anyway."""
    assert is_private_answer(inbound, SPECS) is is_private
    assert is_in_context(inbound, SPECS) is in_context


# --- Who may do what -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_who_may_press(action: Any) -> None:
    """The asker may press every button and a manager too; others may only judge an answer."""
    press = ButtonPress("P1", "R1", HERE, BEN, action)
    assert may_press(press, BEN.id)
    assert may_press(replace(press, author=replace(BEN, is_manager=True)), ANN.id)
    assert may_press(press, ANN.id) is action.startswith("thumbs")


def test_who_may_edit_and_delete() -> None:
    """A message is its author's to change, where the platform tells who does; a manager may delete it, not reword it."""
    edit, deletion = Edit("E5", "M1", HERE, BEN, "other words"), Deletion("E6", "M1", HERE, BEN)
    for change in (edit, deletion):
        assert may_change(change, BEN.id) and not may_change(change, ANN.id)
        assert may_change(replace(change, author=Author("")), ANN.id)
    manager = replace(BEN, is_manager=True)
    assert may_change(replace(deletion, author=manager), ANN.id)
    assert not may_change(replace(edit, author=manager), ANN.id)


def test_whose_words_a_model_reads_for_somebody() -> None:
    """All that was said, where the platform shows it to the asker; else their own words and the answers to them, and no copies."""
    hers, to_her = Message("user", (Text("hers"),), "Ann", ANN.id), Message("assistant", (Text("to her"),))
    his, to_him = Message("user", (Text("his"),), "Ben", BEN.id), Message("assistant", (Text("to him"),))
    copied = replace(his, is_context=True)
    told = [copied, hers, to_her, his, to_him, hers]
    assert history_for(BEN, told) == told
    assert history_for(replace(BEN, sees_history=False), told) == [his, to_him]
    assert history_for(replace(ANN, sees_history=False), told) == [hers, to_her, hers]
    assert history_for(Author("U-new", sees_history=False), told) == []


def test_what_forget_reaches() -> None:
    """In a shared place one forgets one's own words; alone with Parley, everything."""
    assert forgettable_author(Command("E7", HERE, ANN, "forget")) == ANN.id
    assert forgettable_author(Command("E7", HERE, ANN, "forget", is_direct=True)) is None


BEN_THE_MANAGER = replace(BEN, is_manager=True)
IN_THREAD = replace(HERE, thread="T1")


@pytest.mark.parametrize(
    ("scope", "address", "is_direct", "member", "manager"),
    [
        ("person", HERE, False, True, True),
        ("conversation", IN_THREAD, False, True, True),
        ("conversation", replace(HERE, thread=""), False, False, True),
        ("channel", IN_THREAD, False, False, True),
        ("channel", HERE, False, False, True),
        ("channel", HERE, True, True, True),
        ("conversation", HERE, True, True, True),
    ],
)
def test_who_may_set(scope: Any, address: Address, is_direct: bool, member: bool, manager: bool) -> None:
    """What holds for a whole channel is for those who manage it; oneself, a thread one talks in and a direct place are free."""
    assert may_set(scope, BEN, address, is_direct=is_direct) is member
    assert may_set(scope, BEN_THE_MANAGER, address, is_direct=is_direct) is manager


def said_by(author: Author, text: str, name: str = "settings", **changes: Any) -> Command:
    """A command at the place, outside any thread."""
    return Command("E8", replace(HERE, thread=""), author, name, text, **changes)


@pytest.mark.parametrize(
    ("command", "change"),
    [
        (said_by(BEN, ""), None),
        (said_by(BEN, "show"), None),
        (said_by(BEN, "set effort low"), SettingsChange("person", "effort", "low")),
        (said_by(BEN_THE_MANAGER, "set effort low"), SettingsChange("conversation", "effort", "low")),
        (said_by(BEN, "effort low for channel"), SettingsChange("channel", "effort", "low")),
        (said_by(BEN, "set system_prompt Answer for me"), SettingsChange("person", "system_prompt", "Answer")),
        (said_by(BEN, "reset"), SettingsChange("person")),
        (said_by(BEN, "RESET effort FOR Channel"), SettingsChange("channel", "effort")),
        (said_by(BEN, "", "persona"), None),
        (said_by(BEN, "brief", "persona"), SettingsChange("person", "persona", "brief")),
        (said_by(BEN, "off", "persona", is_direct=True), SettingsChange("conversation", "persona")),
    ],
)
def test_what_a_command_would_change(command: Command, change: SettingsChange | None) -> None:
    """A choice without a scope holds for the conversation, or for the person where they may not choose for the conversation."""
    assert settings_change(command) == change


@pytest.mark.parametrize("text", ["set", "set effort", "effort", "set for channel"])
def test_a_choice_that_is_written_wrongly(text: str) -> None:
    """The error shows the right way, and nobody else is told."""
    with pytest.raises(UsageError, match="/settings set NAME VALUE"):
        settings_change(said_by(BEN, text))
    assert not is_announced(said_by(BEN, text))


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (said_by(BEN_THE_MANAGER, "set effort low for channel"), True),
        (said_by(BEN_THE_MANAGER, "reset for channel"), True),
        (said_by(BEN_THE_MANAGER, "brief", "persona"), True),
        (said_by(BEN_THE_MANAGER, "set effort nonsense for channel"), False),
        (said_by(BEN_THE_MANAGER, "set effort low for me"), False),
        (said_by(BEN_THE_MANAGER, "show"), False),
        (said_by(BEN, "set effort low for channel"), False),
        (said_by(BEN, "set effort low"), False),
        (replace(said_by(BEN, "set effort low"), address=IN_THREAD), True),
        (said_by(BEN, "set effort low for channel", is_direct=True), False),
        (said_by(BEN_THE_MANAGER, "for channel", "help"), False),
    ],
)
def test_choices_that_hold_for_others_are_announced(command: Command, told: bool) -> None:
    """The answer to a valid choice for a shared place stands where the others read it; all else about settings is private."""
    assert is_announced(command) is told
    assert is_private_answer(command, SPECS) is not told
    assert not is_in_context(command, SPECS)


def test_every_button_that_stands_for_words_has_them() -> None:
    """A button that is neither a stop, a thumb nor a regeneration stands for words to the model."""
    assert {*ACTIONS} - {"stop", "regenerate", "thumbs_up", "thumbs_down"} <= {*ACTION_PROMPTS}


# --- Settings --------------------------------------------------------------------------------------------------------


def test_every_setting_is_declared_once() -> None:
    """The declaration names the fields of `Settings` in their order, and each has a meaning and allowed values in words."""
    assert list(SETTINGS) == [field.name for field in fields(Settings)]
    assert all(one.summary.endswith(".") and one.allowed for one in SETTINGS.values())


def test_literals_of_settings_and_declaration_agree() -> None:
    """Where `Settings` names the values of a field, the declaration names the same."""
    for name, hint in get_type_hints(Settings).items():
        literals = [value for kind in get_args(hint) for value in get_args(kind) if isinstance(value, str)]
        if literals:
            assert SETTINGS[name].suggestions == tuple(literals), name
            assert SETTINGS[name].is_closed


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("temperature", "0,7", 0.7),
        ("temperature", "2", 2.0),
        ("max_tokens", "16", 16),
        ("frequency-penalty", "-2", -2.0),
        ("Effort", "XHIGH", "xhigh"),
        ("image_quality", "max", "max"),
        ("stop", 'END, "two words", \\n, a\\\\b', ("END", "two words", "\n", "a\\b")),
        ("model", "echo:echo", "echo:echo"),
        ("image_size", "1536x1024", "1536x1024"),
    ],
)
def test_a_value_as_people_write_it(name: str, text: str, value: Any) -> None:
    """Names in any spelling, numbers with a comma, values in any case, stop texts with escapes."""
    parsed = parse_setting(name, text)[1]
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("temperature", "2.1", "temperature takes 0 to 2."),
        ("temperature", "nan", "temperature takes 0 to 2."),
        ("top_p", "warm", "top_p takes 0 to 1."),
        ("max_tokens", "15", "max_tokens takes 16 to 128000 tokens."),
        ("max_tokens", "16.5", "max_tokens takes 16 to 128000 tokens."),
        ("presence_penalty", "-2.1", "presence_penalty takes -2 to 2."),
        ("verbosity", "chatty", "verbosity takes low, medium, high."),
        ("system_prompt", "x" * 8_001, "system_prompt takes up to 8,000 characters."),
        ("stop", "a,b,c,d,e", "stop takes one to four texts, separated by commas."),
        ("stop", " , ", "stop takes one to four texts, separated by commas."),
        ("voice", "x" * 65, "voice takes a voice of the speech model."),
    ],
)
def test_a_wrong_value_says_what_is_allowed(name: str, text: str, allowed: str) -> None:
    """The refusal names the setting and its values."""
    with pytest.raises(UsageError) as refused:
        parse_setting(name, text)
    assert refused.value.text == allowed


def test_an_unknown_setting_lists_the_known() -> None:
    """The refusal of a name lists what there is."""
    with pytest.raises(UsageError, match=r"There is no setting 'colour'.*temperature"):
        known_name("colour")


def test_settings_that_models_refuse() -> None:
    """What depends on the model is marked where the setting is declared."""
    assert MODEL_DEPENDENT == (
        "temperature",
        "top_p",
        "max_tokens",
        "frequency_penalty",
        "presence_penalty",
        "stop",
        "effort",
        "verbosity",
    )


def test_what_holds() -> None:
    """A conversation's choice comes before a person's, a person's before a channel's; names of other versions are left out."""
    merged = merge_settings(
        {
            "conversation": {"voice": "sage"},
            "person": {"voice": "ash", "effort": "low"},
            "channel": {"voice": "onyx", "effort": "high", "follow": "never", "no_longer": 1},
        }
    )
    assert merged == Settings(voice="sage", effort="low", follow="never")


# --- Limits ----------------------------------------------------------------------------------------------------------


def test_every_limit_is_a_positive_number() -> None:
    """No limit forbids everything, and each is a number."""
    assert all(getattr(LIMITS, field.name) > 0 for field in fields(LIMITS))


def test_an_edit_is_answered_with_the_rights_of_its_time() -> None:
    """Whoever lost the right to read the past between a question and its edit is not answered from it; no edit gives one."""
    asked = InboundMessage("E1", "M1", Address("p", "w", "c"), Author("a"), "hello")
    blind = Author("a", sees_history=False)
    edit = Edit("E2", "M1", asked.address, blind, "hello again")
    assert not answered_at(asked, edit).author.sees_history
    assert answered_at(asked, replace(edit, author=Author("b", sees_history=False))).author.sees_history
    assert not answered_at(replace(asked, author=blind), replace(edit, author=Author("a"))).author.sees_history
