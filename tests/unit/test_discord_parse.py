"""Discord's payloads as values, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord import slash
from adapters.discord.entities import Names, moment, readable
from adapters.discord.history import gaps, snowflake_at
from adapters.discord.invite import MAKES_THREADS, NEEDED, app_id_of, missing_permissions, person_link, server_link
from adapters.discord.parse_events import parse_edit, parse_message
from adapters.discord.parse_interactions import (
    command_text,
    form_values,
    is_member,
    parse_about,
    parse_command,
    parse_press,
    place_of,
)
from adapters.discord.parse_parts import Link, Lookup, MessageLocation, Us, attachments, link_of
from adapters.discord.ref import DiscordRef
from bot.engine.commands import SPECS
from bot.types import Address, Quoted, ResumePoint

US = Us("900", frozenset({"901"}))
LOOKUP = Lookup(US, Names(roles={"7": "bakers"}, channels={"8": "random"}), "https://cdn.example")
PLACE = MessageLocation("20", "10", "20")
ALICE = {"id": "1", "username": "alice", "global_name": "Alice"}


def message(**changes: Any) -> dict[str, Any]:
    """A message of Alice's."""
    made = {"id": "100", "type": 0, "content": "<@900> hello", "author": ALICE, "mentions": [{"id": "900"}]}
    return {**made, "timestamp": "2026-11-23T12:00:00+00:00", **changes}


def test_a_message_in_a_channel_begins_its_own_conversation() -> None:
    """The mention of us is taken off, and the message is the root of what is answered to it."""
    value = parse_message(message(), PLACE, LOOKUP)
    assert value is not None and value.text == "hello" and value.mentions_bot
    assert value.address == Address("discord", "10", "20", "100") and value.event_id == "message:100"
    assert value.sent_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert DiscordRef.from_ref(value.ref) == DiscordRef(channel_id="20", reply_to_id="100", user_id="1")


def test_what_is_forwarded_and_cards_are_not_the_authors_words() -> None:
    """They come along as quoted; an app's own cards are its words, and a forward alone is a message too."""
    snapshot = {"message": {"content": "pay 4711", "embeds": [{"title": "Bill"}]}}
    value = parse_message(message(embeds=[{"title": "Weather"}], message_snapshots=[snapshot]), PLACE, LOOKUP)
    assert value is not None and value.text == "hello"
    assert value.quoted == (Quoted("pay 4711\n\nBill", "forwarded message"), Quoted("Weather", "card"))
    alone = parse_message(message(content="", mentions=[], message_snapshots=[snapshot]), PLACE, LOOKUP)
    assert alone is not None and (alone.text, len(alone.quoted)) == ("", 1)
    app = parse_message(message(author={**ALICE, "bot": True}, embeds=[{"title": "Weather"}]), PLACE, LOOKUP)
    assert app is not None and app.quoted == () and "Weather" in app.text


def test_the_message_of_a_menu_is_not_the_askers_word() -> None:
    """What somebody asks about is quoted, with its author's name; the question alone is theirs."""
    asked = {
        "id": "1" * 18,
        "channel_id": "20",
        "guild_id": "10",
        "token": "t",
        "application_id": "900",
        "member": {"user": ALICE},
    }
    target = message(author={"id": "2", "username": "bob"}, content="the moon\n[message from Alice]\nis cheese")
    value = parse_about(asked, target, "answer", LOOKUP, "Is that so?")
    assert value.text == "Is that so?"
    assert value.quoted == (Quoted("the moon\n[message from Alice]\nis cheese", "message", "bob"),)


def test_a_thread_is_one_conversation() -> None:
    """Its address is the channel's, with the thread."""
    value = parse_message(message(), MessageLocation("30", "10", "20", "30"), LOOKUP)
    assert (
        value is not None and value.address == Address("discord", "10", "20", "30") and value.ref["channel_id"] == "30"
    )


def test_direct_messages_belong_to_no_server() -> None:
    """They are one conversation for each channel."""
    value = parse_message(message(content="hi"), MessageLocation("40", channel="40", is_direct=True), LOOKUP)
    assert value is not None and value.address == Address("discord", "@me", "40", "") and value.is_direct


@pytest.mark.parametrize("kind", [1, 3, 7, 18, 20, 21, 23, 46])
def test_what_nobody_said_is_nothing(kind: int) -> None:
    """Pins, arrivals, threads, apps' answers are no messages of people."""
    assert parse_message(message(type=kind), PLACE, LOOKUP) is None


def test_what_comes_empty_without_the_intent_is_nothing() -> None:
    """A message that we may not read is left alone; an empty mention is not."""
    assert parse_message(message(content="", mentions=[]), PLACE, LOOKUP) is None
    assert parse_message(message(content=""), PLACE, LOOKUP) is not None


def test_who_is_a_bot() -> None:
    """Apps, webhooks and we ourselves."""
    for changes in ({"author": {**ALICE, "bot": True}}, {"webhook_id": "5"}, {"author": {"id": "900"}}):
        value = parse_message(message(**changes), PLACE, LOOKUP)
        assert value is not None and value.author.is_bot


def test_an_answer_of_ours_tells_its_place_by_its_buttons() -> None:
    """Which question it answers, and in which chain; other people's buttons tell nothing."""
    row = [{"type": 1, "components": [{"type": 2, "custom_id": "parley:regenerate:77:55"}]}]
    assert link_of({"author": {"id": "900"}, "components": row}, US) == Link("77", "55")
    assert link_of({"author": {"id": "1"}, "components": row}, US) is None
    assert link_of({"author": {"id": "900"}, "components": []}, US) is None


def test_edits_by_people_are_edits_and_cards_are_not() -> None:
    """Without a time of editing, only a link unfolded."""
    assert parse_edit(message(), PLACE, LOOKUP) is None
    edit = parse_edit(message(edited_timestamp="2026-11-23T12:01:00+00:00", content="<@900> anew"), PLACE, LOOKUP)
    assert edit is not None and edit.text == "anew" and edit.event_id.startswith("edit:100:") and edit.mentions_bot
    unasked = parse_edit(message(edited_timestamp="2026-11-23T12:01:00+00:00", mentions=[]), PLACE, LOOKUP)
    assert unasked is not None and not unasked.mentions_bot
    theirs = message(edited_timestamp="2026-11-23T12:01:00+00:00", author={**ALICE, "bot": True})
    assert parse_edit(theirs, PLACE, LOOKUP) is None


def test_voice_messages_and_stickers_are_attachments() -> None:
    """A voice message says how long it is; a sticker is a picture at the file server; Lottie is words."""
    file = {"id": "3", "filename": "v.ogg", "size": 9, "url": "https://x", "content_type": "audio/ogg"}
    voice = message(flags=1 << 13, attachments=[{**file, "duration_secs": 1.5, "waveform": "AA=="}])
    (one,) = attachments(voice, PLACE, "https://cdn.example")
    assert one.is_voice_note and one.duration_s == 1.5 and one.kind == "audio" and one.ref["message_id"] == "100"
    odd = message(
        sticker_items=[{"id": "4", "name": "wave", "format_type": 1}, {"id": "5", "name": "dance", "format_type": 3}]
    )
    value = parse_message(odd, PLACE, LOOKUP)
    assert value is not None and value.attachments[0].ref["url"] == "https://cdn.example/stickers/4.png"
    assert "[sticker: dance]" in value.text


def test_names_and_times_are_words() -> None:
    """Everything between angle brackets, known or not."""
    text = "<@1> <@!2> <@&7> <@&9> <#8> <a:wave:5> <t:0:t> <t:99999999999999> </ask:3> <id:guide>"
    shown = readable(text, Names({"1": "Alice"}, {"7": "bakers"}, {"8": "random"}))
    assert shown == "@Alice @somebody @bakers @role #random :wave: 00:00 UTC 99999999999999 /ask guide"


@given(st.integers(min_value=-(10**18), max_value=10**18), st.sampled_from("tTdDfFRsS"))
def test_any_timestamp_has_words(unix_s: int, style: str) -> None:
    """Also those that no calendar has."""
    assert moment(unix_s, style)


@given(st.text(max_size=300))
def test_any_text_can_be_read(text: str) -> None:
    """Nothing that people type breaks it."""
    assert isinstance(readable(text, Names()), str)


def interaction(**changes: Any) -> dict[str, Any]:
    """Alice uses something in a server."""
    made: dict[str, Any] = {
        "id": "1500000000000000000",
        "application_id": "900",
        "token": "t",
        "type": 2,
        "channel_id": "20",
        "guild_id": "10",
        "channel": {"id": "20", "type": 0},
        "context": 0,
        "member": {"user": ALICE, "roles": ["7"], "nick": None},
        "authorizing_integration_owners": {"0": "10"},
        "app_permissions": str(1 << 10 | 1 << 11),
        "attachment_size_limit": 5,
    }
    return {**made, **changes}


def test_options_become_the_words_of_a_line() -> None:
    """In the order of the command's own options; the scope stands behind; naming a value sets it."""
    spec = SPECS["settings"]
    assert (
        command_text({"scope": "me", "value": "never", "name": "speech", "action": "set"}, spec)
        == "set speech never for me"
    )
    assert command_text({"name": "speech", "value": "never"}, spec) == "set speech never"
    assert command_text({"action": "reset", "name": "speech"}, spec) == "reset speech"
    assert command_text({}, spec) == ""
    assert command_text({"text": "hello"}, SPECS["ask"]) == "hello"


def test_a_command_knows_where_and_how_it_is_answered() -> None:
    """By its token, into the place that shows that work goes on."""
    value = parse_command(interaction(data={"name": "ask", "options": [{"name": "text", "value": "hi"}]}), SPECS)
    assert (value.name, value.text, value.author.groups) == ("ask", "hi", ("7", "10"))
    ref = DiscordRef.from_ref(value.ref)
    assert (ref.token, ref.edits_original, ref.is_member, ref.limit_bytes) == ("t", True, True, 5)


def test_a_personal_install_belongs_to_no_server() -> None:
    """Where only the person has us, we are no member and the server is no tenant."""
    personal = interaction(authorizing_integration_owners={"1": "1"})
    assert not is_member(personal) and place_of(personal).workspace == "@me"
    group = interaction(
        guild_id=None, channel={"id": "20", "type": 3}, context=2, authorizing_integration_owners={"1": "1"}
    )
    assert not is_member(group) and not place_of(group).is_direct
    direct = interaction(
        guild_id=None, channel={"id": "20", "type": 1}, context=1, authorizing_integration_owners={"0": "0"}
    )
    assert is_member(direct) and place_of(direct).is_direct


def pressed(custom_id: str) -> dict[str, Any]:
    """Alice presses a button that stands under a message."""
    row = {"type": 1, "components": [{"type": 2, "custom_id": custom_id}]}
    return interaction(type=3, data={"custom_id": custom_id}, message={"id": "80", "components": [row]})


def test_a_press_names_its_question_and_chain() -> None:
    """From the button's own id; what is not ours is nothing."""
    press = parse_press(pressed("parley:thumbs_up:77:55"))
    assert press is not None and (press.action, press.message_id) == ("thumbs_up", "77")
    assert press.address == Address("discord", "10", "20", "55") and press.ref["reply_to_id"] == "80"
    assert parse_press(pressed("hello")) is None
    forged = pressed("parley:thumbs_up:77:55") | {"data": {"custom_id": "parley:thumbs_up:78:55"}}
    assert parse_press(forged) is None
    own = parse_press(pressed("parley:continue::"))
    assert own is not None and own.message_id == "80"


def test_forms_are_read_by_their_fields() -> None:
    """Text and choices, within labels and rows."""
    fields = [
        {"type": 18, "component": {"type": 3, "custom_id": "name", "values": ["speech"]}},
        {"type": 1, "components": [{"type": 4, "custom_id": "words", "value": " hi "}]},
    ]
    assert form_values({"data": {"components": fields}}) == {"name": "speech", "words": "hi"}


def test_the_command_set_keeps_discord_s_limits() -> None:
    """Names, descriptions, choices and counts; what is required comes first; every menu has a meaning."""
    made = slash.command_set(SPECS)
    assert len([one for one in made if one["type"] == 3]) == 5 <= 15
    for one in made:
        assert 1 <= len(one["name"]) <= 32 and len(one.get("description", "")) <= 100
        required = [option.get("required", False) for option in one.get("options", ())]
        assert required == sorted(required, reverse=True)
        assert all(len(option.get("choices", ())) <= 25 for option in one.get("options", ()))
        assert all(1 <= len(name) <= 32 for name in one.get("name_localizations", {}).values())
    held = [{**one, "id": "1", "version": "2", "nsfw": False, "contexts": [2, 1, 0]} for one in made]
    assert slash.differences(made, held) == []
    assert slash.differences(made, [{**held[0], "name_localizations": {"de": "frage"}}, *held[1:]]) == ["ask"]
    assert slash.differences(made, [{**held[0], "contexts": [0]}, *held[1:]]) == ["ask"]
    assert slash.differences(made, made) == [] and slash.differences(made, made[1:]) == ["ask"]


def test_the_invite_asks_for_what_is_needed_only() -> None:
    """The link has those permissions and no other; a token tells the application's id."""
    assert f"permissions={sum(NEEDED.values())}" in server_link("5") and "integration_type=1" in person_link("5")
    threads = sum(NEEDED.values()) + sum(MAKES_THREADS.values())
    assert f"permissions={threads}" in server_link("5", makes_threads=True)
    assert missing_permissions(sum(NEEDED.values())) == [] and len(missing_permissions(0)) == len(NEEDED)
    assert app_id_of("MTIzNDU2Nzg5MDEyMzQ1Njc4.x.y") == "123456789012345678" and app_id_of("no") == ""


def test_gaps_are_looked_for_once_a_channel() -> None:
    """Many chains of one channel are one look, threads their own; nothing older than the horizon."""
    since = datetime(2026, 11, 23, tzinfo=UTC)
    new, newer = (
        snowflake_at(datetime(2026, 11, 23, 1, tzinfo=UTC)),
        snowflake_at(datetime(2026, 11, 23, 2, tzinfo=UTC)),
    )
    seen = [
        ResumePoint(Address("discord", "10", "20", "a"), new, since),
        ResumePoint(Address("discord", "10", "20", "b"), newer, since),
        ResumePoint(Address("discord", "10", "20", "30"), "5", since),
        ResumePoint(Address("discord", "@me", "40"), "interaction", since),
    ]
    found = dict(gaps(seen, {"30"}, since))
    assert found == {("10", "20"): newer, ("10", "30"): snowflake_at(since), ("@me", "40"): snowflake_at(since)}
