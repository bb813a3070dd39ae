"""What answering at Discord needs to know, through databases and releases, and the ids of buttons."""

from __future__ import annotations

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.discord.custom_ids import ButtonId, holds, parse_button_id
from adapters.discord.ref import DiscordFileRef, DiscordRef
from adapters.discord.target import Target
from adapters.shared.short_lived import ShortLived
from bot.types import ACTIONS, Address, Receipt
from tests.fakes import FakeClock

ids = st.text("0123456789", max_size=20)
refs = st.builds(
    DiscordRef,
    **{
        one.name: {
            bool: st.booleans(),
            int: st.integers(1, 2**30),
            float: st.integers(0, 2**32).map(float),
            tuple: st.lists(ids.filter(bool), max_size=3).map(tuple),
        }.get(type(one.default), ids)
        for one in fields(DiscordRef)
    },
)


@given(refs)
def test_a_ref_survives_its_plain_form(ref: DiscordRef) -> None:
    """What is written as strings is read back the same."""
    assert DiscordRef.from_ref(ref.to_ref()) == ref


@given(refs, refs)
def test_nothing_of_the_question_shines_through_a_press(asked: DiscordRef, pressed: DiscordRef) -> None:
    """A press is laid over what it is about: where and by what it is answered is the press's own, even where that is nothing."""
    found = DiscordRef.from_ref({**asked.to_ref(), **pressed.to_ref()})
    for name in ("channel_id", "reply_to_id", "user_id", "token", "token_expires_at", "edits_original", "is_member"):
        assert getattr(found, name) == getattr(pressed, name)


def test_a_released_version_s_receipt_is_read() -> None:
    """Answers that were given before an upgrade are revised in their place, with all their messages."""
    ref = {
        "at": "30",
        "anchor": "31",
        "user": "1",
        "limit": "5",
        "token": "t",
        "app": "900",
        "until": "1700000000",
        "fills": "1",
        "member": "0",
        "question": "31",
        "boot": "abc",
        "ephemeral": "1",
        "settings": "1",
        "revised": "1",
        "files": "1",
        "voice": "40,41",
        "hooked": "42",
    }
    expected = DiscordRef(
        channel_id="30",
        reply_to_id="31",
        user_id="1",
        limit_bytes=5,
        token="t",
        application_id="900",
        token_expires_at=1_700_000_000.0,
        edits_original=True,
        is_member=False,
        question_id="31",
        boot="abc",
        is_ephemeral=True,
        has_settings_button=True,
        is_revised=True,
        has_files=True,
        voice_ids=("40", "41"),
        webhook_message_ids=("42",),
    )
    assert DiscordRef.from_ref(ref) == expected
    short_lived = ShortLived(FakeClock(), SecretStr("bot token"))
    target = Target.of(Receipt(Address("discord", "10", "20", "30"), "turn", ("42", "40", "41"), ref), short_lived)
    assert target.channel_id == "30" and target.webhook_message_ids == {"42"} and target.needs_token
    assert target.token == ""  # released versions wrote tokens in plain; these are over within minutes of the upgrade


def test_a_press_on_a_released_version_s_question_is_answered_at_the_press() -> None:
    """The strings of both lie in one mapping then; the press's come first."""
    found = DiscordRef.from_ref({"at": "30", "token": "old", "fills": "1", **DiscordRef(channel_id="50").to_ref()})
    assert (found.channel_id, found.token, found.edits_original) == ("50", "", False)


def test_buttons_of_a_released_version_are_read() -> None:
    """They stand under answers for years, and name the question and its chain."""
    assert parse_button_id("parley:regenerate:77:55") == ButtonId("regenerate", "77", "55")
    assert parse_button_id("parley:continue::") == ButtonId("continue", "", "")
    for other in ("hello", "parley:settings", "parley:ask:77", "other:regenerate:77:55", "parley:explode:77:55"):
        assert parse_button_id(other) is None


@given(st.sampled_from(ACTIONS), ids, ids)
def test_a_button_says_what_it_was_given(action: str, question: str, root: str) -> None:
    """Also where the question was itself a press, whose id has a colon; no id is longer than Discord's 100 characters."""
    for question_id in (question, f"interaction:{question}"):
        button = ButtonId(action, question_id, root)  # type: ignore[arg-type]
        assert parse_button_id(str(button)) == button and len(str(button)) <= 100


def test_a_message_holds_its_own_buttons_alone() -> None:
    """What a client says was pressed is looked for in the message that Discord sent along."""
    message = {"components": [{"type": 1, "components": [{"type": 2, "custom_id": "parley:stop:1:2"}]}]}
    assert holds(message, "parley:stop:1:2") and not holds(message, "parley:stop:1:3") and not holds({}, "")


def test_a_released_version_s_attachment_is_fetched() -> None:
    """A file that was noted before an upgrade is found by its former keys."""
    ref = {"id": "3", "url": "https://cdn.example/3", "channel": "20", "message": "100"}
    found = DiscordFileRef.from_ref(ref)
    assert found == DiscordFileRef("3", "https://cdn.example/3", "20", "100")
    assert DiscordFileRef.from_ref(found.to_ref()) == found
