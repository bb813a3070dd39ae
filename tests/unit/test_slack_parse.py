"""Slack's payloads become values; what is no person's doing becomes nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from adapters.slack import entities, parse
from adapters.slack.entities import Names
from adapters.slack.parse_interactions import modal_state
from adapters.slack.ref import SlackRef
from bot.types import ButtonPress, Command, Deletion, Edit, InboundMessage, from_json, to_json


def event(**fields: Any) -> dict[str, Any]:
    """A delivery in a channel where we are U0BOT."""
    shared = {"type": "message", "user": "U1", "ts": "100.000100", "channel": "C1", "text": "hi"}
    us = [{"team_id": "T1", "user_id": "U0BOT", "is_bot": True}]
    return {
        "type": "event_callback",
        "team_id": "T1",
        "event_id": "Ev1",
        "authorizations": us,
        "event": {**shared, **fields},
    }


def test_a_mention_as_message_and_as_app_mention_have_one_message_id() -> None:
    """So both are one turn; the mention that begins the text is no part of it."""
    first = parse.parse(event(text="<@U0BOT> hello"))
    second = parse.parse(event(type="app_mention", text="<@U0BOT> hello"))
    assert isinstance(first, InboundMessage) and isinstance(second, InboundMessage)
    assert (
        first.message_id == second.message_id and first.mentions_bot and second.mentions_bot and first.text == "hello"
    )


def test_a_direct_message_is_the_root_of_its_own_thread() -> None:
    """The agent panel answers each top-level message in a thread."""
    found = parse.parse(event(channel="D1", channel_type="im"))
    assert isinstance(found, InboundMessage) and found.is_direct and found.address.thread == "100.000100"


def test_our_own_and_other_bots_are_marked() -> None:
    """The inbox drops them."""
    for fields in ({"user": "U0BOT"}, {"bot_id": "B1"}, {"subtype": "bot_message", "user": None}):
        found = parse.parse(event(**fields))
        assert isinstance(found, InboundMessage) and found.author.is_bot


def test_what_reports_on_a_channel_is_nothing() -> None:
    """Joins, topics, hidden events and reactions."""
    for fields in (
        {"subtype": "channel_join"},
        {"subtype": "channel_topic"},
        {"hidden": True},
        {"type": "reaction_added"},
    ):
        assert parse.parse(event(**fields)) is None
    assert parse.parse({}) is None and parse.parse({"type": "block_actions"}) is None


def test_an_edit_counts_only_when_the_words_changed() -> None:
    """Unfurls and our own edits are nothing; a tombstone is a deletion."""
    message = {"user": "U1", "ts": "100.000100", "text": "new", "thread_ts": "90.1"}
    edited = parse.parse(event(subtype="message_changed", message=message, previous_message={"text": "old"}))
    assert isinstance(edited, Edit) and edited.text == "new" and edited.address.thread == "90.1"
    assert parse.parse(event(subtype="message_changed", message=message, previous_message={"text": "new"})) is None
    ours = {**message, "bot_id": "B1"}
    assert parse.parse(event(subtype="message_changed", message=ours, previous_message={"text": "old"})) is None
    gone = parse.parse(event(subtype="message_changed", message={**message, "subtype": "tombstone"}))
    assert isinstance(gone, Deletion) and gone.message_id == "100.000100"
    deleted = parse.parse(
        event(subtype="message_deleted", deleted_ts="100.000100", previous_message={"thread_ts": "90.1"})
    )
    assert isinstance(deleted, Deletion) and deleted.address.thread == "90.1"


def test_a_voice_clip_is_one_whatever_its_type_claims() -> None:
    """Slack says video/mp4, audio/mp4 or nothing; the subtype decides."""
    for mimetype in ("video/mp4", "audio/mp4", ""):
        clip = {"id": "F1", "subtype": "slack_audio", "mimetype": mimetype, "duration_ms": 2500, "url_private": "u"}
        found = parse.parse(event(subtype="file_share", text="", files=[clip]))
        assert isinstance(found, InboundMessage)
        (attachment,) = found.attachments
        assert attachment.kind == "audio" and attachment.is_voice_note and attachment.duration_s == 2.5


def test_people_of_another_company_carry_its_id() -> None:
    """Equal user ids of two companies stay two people."""
    found = parse.parse(event(user_team="T2"))
    assert (
        isinstance(found, InboundMessage)
        and found.author.id == "U1@T2"
        and SlackRef.from_ref(found.ref).user_id == "U1"
    )
    assert found.address.workspace == "T1"


def test_an_organisation_s_installation_uses_the_workspace_s_id() -> None:
    """The authorization of an org install names no team."""
    body = event() | {"authorizations": [{"enterprise_id": "E1", "team_id": None, "user_id": "U0BOT", "is_bot": True}]}
    found = parse.parse(body)
    assert (
        isinstance(found, InboundMessage)
        and found.address.workspace == "T1"
        and SlackRef.from_ref(found.ref).enterprise == "E1"
    )


def test_forwarded_messages_are_read() -> None:
    """A shared message's text comes along, a link preview does not."""
    cards = [
        {"is_share": True, "author_name": "Grace", "text": "the forwarded words"},
        {"title": "Preview", "text": "a page"},
    ]
    found = parse.parse(event(attachments=cards))
    assert isinstance(found, InboundMessage) and not found.text.count("forwarded") and "a page" not in str(found)
    (quoted,) = found.quoted
    assert "forwarded words" in quoted.text and (quoted.kind, quoted.author) == ("forwarded message", "Grace")


def test_commands() -> None:
    """By their own names, by /parley, and where Slack keeps the word for itself."""
    body = {
        "command": "/parley",
        "text": "imagine a barn",
        "team_id": "T1",
        "channel_id": "C1",
        "user_id": "U1",
        "trigger_id": "t",
    }
    names = {"ask", "imagine", "help", "search"}
    made = [
        parse.parse({**body, **changes}, names)
        for changes in (
            {},
            {"text": "what is this"},
            {"text": ""},
            {"command": "/parley-search", "text": "x"},
            {"command": "/ask"},
        )
    ]
    assert all(isinstance(one, Command) for one in made)
    assert [(one.name, one.text) for one in made if isinstance(one, Command)] == [
        ("imagine", "a barn"),
        ("ask", "what is this"),
        ("help", ""),
        ("search", "x"),
        ("ask", "imagine a barn"),
    ]


def test_buttons_refer_to_the_question() -> None:
    """The value names it; without one the message does. Other apps' buttons and odd ones are nothing."""
    body = {"type": "block_actions", "team": {"id": "T1"}, "user": {"id": "U1"}, "trigger_id": "t"}
    body |= {"container": {"channel_id": "C1", "message_ts": "200.1", "thread_ts": "100.1"}}
    stop = parse.parse({**body, "actions": [{"action_id": "parley:stop", "value": "100.1", "action_ts": "300.1"}]})
    assert isinstance(stop, ButtonPress) and stop.message_id == "100.1" and stop.action == "stop"
    thumb = parse.parse({**body, "actions": [{"action_id": "parley:feedback", "value": "thumbs_down 100.1"}]})
    assert isinstance(thumb, ButtonPress) and thumb.action == "thumbs_down" and thumb.message_id == "100.1"
    for action_id in ("other:stop", "parley:unknown", "", "parley:edit_image"):
        assert parse.parse({**body, "actions": [{"action_id": action_id}]}) is None


def test_a_modal_state_fits_slack() -> None:
    """It is cut, files first, until it fits, whatever the message was; what it is about stays."""
    files = [{"id": f"F{n}", "name": "n" * 300} for n in range(10)]
    target = {"text": "\u00e4" * 9000, "files": files, "channel": "C1", "ts": "1.1"}
    for limit in (3_000, 200, 0):
        state = modal_state(target, lambda text, limit=limit: len(text) <= limit)  # type: ignore[misc]
        assert json.loads(state)["ts"] == "1.1" and (len(state) <= limit or not limit)


def test_entities_read_as_people_read_them() -> None:
    """Names for ids, labels kept, links as Markdown, escapes undone."""
    names = Names({"U1": "Ada"}, {"C1": "general"}, {"S1": "devs"})
    text = "<@U1> <@U2|bob> <#C1> <#C2|random> <!subteam^S1> <!here> "
    text += "<https://e.org|site> <https://e.org> <mailto:a@b.c|a@b.c> 1 &lt; 2 &amp; 3"
    assert entities.readable(text, names) == (
        "@Ada @bob #general #random @devs @here [site](https://e.org) https://e.org a@b.c 1 < 2 & 3"
    )


@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["message", "app_mention", "agent_session_stopped"]),
            "subtype": st.sampled_from([None, "message_changed", "message_deleted", "file_share", "bot_message"]),
            "ts": st.sampled_from(["", "1.2", "x"]),
            "channel": st.sampled_from(["", "C1", "D1"]),
            "text": st.text(max_size=30),
        }
    )
)
def test_any_event_parses_to_a_value_that_travels_or_to_nothing(fields: dict[str, Any]) -> None:
    """No event breaks the parser, and what comes out survives a queue."""
    found = parse.parse(event(**fields))
    assert found is None or from_json(json.loads(json.dumps(to_json(found)))) == found
