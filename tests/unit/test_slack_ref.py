"""What answering at Slack needs to know survives databases and releases."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.ref import SlackFileRef, SlackRef, TokenScope
from adapters.slack.target import target_of
from bot.types import Address, Receipt

ids = st.text("0123456789ABC", max_size=12)
KINDS = {
    bool: st.booleans(),
    tuple: st.lists(ids.filter(bool), max_size=3).map(tuple),
    dict: st.dictionaries(ids.filter(bool), st.text(max_size=12), max_size=3),
}
refs = st.builds(
    SlackRef, **{one.name: KINDS.get(type(getattr(SlackRef(), one.name)), ids) for one in fields(SlackRef)}
)


@given(refs)
def test_a_ref_survives_its_plain_form(ref: SlackRef) -> None:
    """What is written as strings is read back the same."""
    assert SlackRef.from_ref(ref.to_ref()) == ref


def test_a_released_version_s_receipt_is_read() -> None:
    """Answers that were given before an upgrade are revised in their place, with their pictures and buttons."""
    ref = {
        "team": "T1",
        "enterprise": "E1",
        "user": "U1",
        "bot": "U0BOT",
        "user_team": "T2",
        "mentions": "S1,U2,here",
        "named": '{"U2": "Grace"}',
        "alone": "1",
        "response_url": "https://hooks.example/1",
        "question": "100.1",
        "since": "99.0",
        "boot": "abc",
        "ephemeral": "1",
        "private": "1",
        "session": "1",
        "revised": "1",
        "files": "F1,F2",
        "controls": "101.1",
    }
    found = target_of(Receipt(Address("slack", "T9", "C1", "100.1"), "turn", ("100.2", "101.1"), ref))
    assert found.ref == SlackRef(
        team="T1",
        enterprise="E1",
        user_id="U1",
        bot_user_id="U0BOT",
        user_team="T2",
        mentions={"S1": "", "U2": "Grace", "here": ""},
        has_no_thread=True,
        response_url="https://hooks.example/1",
        question_id="100.1",
        since_ts="99.0",
        boot="abc",
        is_ephemeral=True,
        is_private=True,
        has_session=True,
        is_revised=True,
        file_ids=("F1", "F2"),
        controls_ts="101.1",
    )
    assert found.scope == TokenScope("T1", "E1") and found.recipient_team == "T2"


def test_a_released_version_s_shortcut_and_file_are_read() -> None:
    """Turns that wait through an upgrade are answered after it."""
    waiting = SlackRef.from_ref({"user": "U1", "about": "90.1", "shortcut": "1", "looking_at": "C2"}, "T1")
    assert waiting == SlackRef(team="T1", user_id="U1", about_ts="90.1", is_shortcut=True, looking_at="C2")
    file = SlackFileRef.from_ref({"team": "T1", "channel": "C1", "file": "F1", "external": "gdrive"})
    assert file == SlackFileRef(team="T1", channel="C1", file_id="F1", external_service="gdrive")


def test_a_press_is_laid_over_a_released_version_s_question() -> None:
    """Whoever pressed Regenerate is who is answered now; whom the asker called stays."""
    asked = {"team": "T1", "user": "U1", "mentions": "U2", "named": '{"U2": "Grace"}', "response_url": "old"}
    pressed = SlackRef(team="T1", user_id="U3", response_url="new").to_ref()
    found = SlackRef.from_ref({**asked, **pressed})
    assert (found.user_id, found.response_url, found.mentions) == ("U3", "new", {"U2": "Grace"})
