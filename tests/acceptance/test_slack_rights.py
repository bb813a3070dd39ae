"""What Slack lets a person read, press, set and hear of decides what Parley shows and does there, at that moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.slack.emulator import AppConfig, Message, Shortcut
from adapters.slack.event_names import RIGHTS_EVENTS
from adapters.slack.ref import SlackRef
from adapters.slack.rights import channel_of, person_of
from bot.store.schema import messages
from bot.types import Address, Author, InboundMessage
from tests.acceptance.slack_support import World, world
from tests.fakes import FakeClock
from tests.support import last_request, rows

APP = AppConfig(
    slash_commands=("/parley", "/ask", "/settings", "/forget", "/usage", "/parley-search"),
    shortcuts=(Shortcut("Translate", "parley:translate"), Shortcut("Ask about this", "parley:ask")),
)
OLD = replace(APP, bot_events=tuple(name for name in APP.bot_events if name not in RIGHTS_EVENTS))
"""An app whose manifest is older than the events about rights."""


MINUTE = timedelta(seconds=61)


async def may_read(w: World, person: str, channel: str) -> bool:
    """Whether this person may read that channel, as the core asks."""
    room, user = w.slack.channel(channel), w.slack.user(person)
    team = w.slack.team.id
    home = "" if user.team_id == team else f"@{user.team_id}"
    asker = InboundMessage("E1", "1.1", Address("slack", team, "D1"), Author(f"{user.id}{home}"))
    asker = replace(asker, ref=SlackRef(team=team, user_id=user.id, user_team=user.team_id).to_ref())
    place = Address("slack", team, room.id, "1.1")
    return list(await w.adapter.readable_by(asker, [place])) == [place]


def told_model(w: World) -> str:
    """All that the model was last given to read."""
    return str(last_request(w.app).messages)


async def found(w: World, person: str, words: str, channel: str = "") -> str:
    """What `/search` shows this person, in their own direct messages if no channel is named."""
    room = w.slack.channel(channel) if channel else w.slack.dm(person)
    before = len(w.slack.ephemerals(room, person))
    await w.slack.slash(person, room, "/parley-search", words)
    await w.settled()
    return "\n".join(one.shown for one in w.slack.ephemerals(room, person)[before:])


# --- Reading ---------------------------------------------------------------------------------------------------------


async def test_who_may_read_a_channel_is_slack_s_to_say(tmp_path: Path) -> None:
    """Members of the workspace read what is public; private channels and group messages only who is in them; guests likewise."""
    async with world(tmp_path, slack_app=APP) as w:
        for name in ("hank", "gwen", "gone"):
            w.slack.add_user(name)
        w.slack.change_user("gwen", is_restricted=True)
        w.slack.change_user("gone", deleted=True)
        w.slack.add_channel("open", ["ada"])
        w.slack.add_channel("closed", ["ada", "gwen"], "private")
        w.slack.add_channel("group", ["grace", "ada"], "mpim")
        readers = {
            name: {room for room in ("open", "closed", "group") if await may_read(w, name, room)}
            for name in ("ada", "grace", "hank", "gwen", "gone")
        }
    assert readers == {
        "ada": {"open", "closed", "group"},
        "grace": {"open", "group"},
        "hank": {"open"},
        "gwen": {"closed"},
        "gone": set(),
    }


async def test_people_of_another_company_read_where_they_are_in(tmp_path: Path) -> None:
    """In a shared channel, and in no other, however public: `is_admin` of theirs counts for nothing either."""
    async with world(tmp_path, slack_app=APP) as w:
        other = w.slack.add_team("Globex", people=("hank",), channels=(), installed=False)
        w.slack.share_channel("general", other, ["hank"])
        hank = w.slack.user("hank", other)
        hank.is_admin = True
        assert await may_read(w, hank.id, "general") and not await may_read(w, hank.id, "random")
        scope = SlackRef(team=w.slack.team.id).scope
        assert not await w.adapter.rights.is_manager(scope, hank.id, w.slack.channel("general").id)


async def test_nobody_s_direct_messages_are_readable(tmp_path: Path) -> None:
    """Neither one's own with Parley nor those among people: they are read from themselves alone."""
    async with world(tmp_path, slack_app=APP) as w:
        for room in (w.slack.dm("ada"), w.slack.add_channel("", ["ada", "grace"], "im", bot=False)):
            place = Address("slack", w.slack.team.id, room.id)
            asker = InboundMessage("E1", "1.1", place, Author(w.slack.user("ada").id))
            assert list(await w.adapter.readable_by(asker, [place])) == []


Change = Callable[[World], object]
LOSSES: dict[str, Change] = {
    "leaves": lambda w: w.slack.leave("grace", "closed"),
    "is deactivated": lambda w: w.slack.change_user("grace", deleted=True),
    "the bot is taken out": lambda w: w.slack.kick_bot("closed"),
    "the channel is deleted": lambda w: w.slack.delete_channel("closed"),
}


@pytest.mark.parametrize("app", [APP, OLD], ids=["told", "old manifest"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_right_ends_when_slack_says_so(tmp_path: Path, app: AppConfig, loss: str) -> None:
    """At once where Slack tells; an app with an old manifest, whom it tells less, believes what it knew for a minute at most."""
    clock = FakeClock()
    async with world(tmp_path, slack_app=app, clock=clock) as w:
        w.slack.add_channel("closed", ["ada", "grace"], "private")
        closed = w.slack.channel("closed").id
        place = Address("slack", w.slack.team.id, closed)
        asker = InboundMessage("E1", "1.1", place, Author(w.slack.user("grace").id))
        assert list(await w.adapter.readable_by(asker, [place])) == [place]
        LOSSES[loss](w)
        await w.slack.idle()
        if app is OLD and loss != "leaves":  # that somebody left is a message too
            clock.at += MINUTE
        assert list(await w.adapter.readable_by(asker, [place])) == []


async def test_a_public_channel_that_becomes_private_is_closed_at_once(tmp_path: Path) -> None:
    """Slack tells by a message in it alone, with an old manifest too."""
    async with world(tmp_path, slack_app=OLD) as w:
        w.slack.add_channel("open", ["ada"])
        assert await may_read(w, "grace", "open")
        w.slack.make_private("open")
        await w.slack.idle()
        assert not await may_read(w, "grace", "open") and await may_read(w, "ada", "open")


async def test_a_right_begins_when_slack_says_so(tmp_path: Path) -> None:
    """Who is invited reads at once what was refused a moment ago."""
    async with world(tmp_path, slack_app=APP) as w:
        w.slack.add_channel("closed", ["ada"], "private")
        assert not await may_read(w, "grace", "closed")
        w.slack.join("grace", "closed")
        await w.slack.idle()
        assert await may_read(w, "grace", "closed")


async def test_what_slack_does_not_answer_is_not_readable(tmp_path: Path) -> None:
    """A missing scope, an error, or silence: no, and without an exception. A scope that is missing is asked for once a minute."""
    async with world(tmp_path, slack_app=APP) as w:
        w.slack.fail("users.conversations", error="missing_scope", times=9)
        w.slack.fail("conversations.info", error="missing_scope", times=9)
        assert not await may_read(w, "ada", "random")
        assert not await may_read(w, "ada", "random")
        assert [len(w.slack.calls_to(name)) for name in ("users.conversations", "conversations.info")] == [1, 1]


async def test_rights_are_asked_for_once_a_minute(tmp_path: Path) -> None:
    """However often somebody searches."""
    clock = FakeClock()
    async with world(tmp_path, slack_app=APP, clock=clock) as w:
        for _ in range(5):
            assert await may_read(w, "grace", "random")
        assert len(w.slack.calls_to("users.conversations")) == 1
        clock.at += MINUTE
        assert await may_read(w, "grace", "random")
        assert len(w.slack.calls_to("users.conversations")) == 2


async def test_somebody_in_many_channels_reads_them_all(tmp_path: Path) -> None:
    """Slack tells them page by page."""
    async with world(tmp_path, slack_app=APP) as w:
        for number in range(230):
            w.slack.add_channel(f"closed-{number}", ["ada"], "private")
        assert await may_read(w, "ada", "closed-0") and await may_read(w, "ada", "closed-229")


async def test_a_former_member_finds_nothing_any_more(tmp_path: Path) -> None:
    """What is said in a private channel is found by who is in it, also by who never spoke there; not by who has left."""
    async with world(tmp_path, slack_app=APP) as w:
        w.slack.add_channel("closed", ["ada", "grace"], "private")
        await w.answers(w.mention("we meet in the ALBATROSS room", "closed", "grace"))
        assert "ALBATROSS" in await found(w, "grace", "albatross") and "ALBATROSS" in await found(w, "ada", "albatross")
        w.slack.leave("grace", "closed")
        await w.slack.idle()
        assert "ALBATROSS" not in await found(w, "grace", "albatross")
        assert "ALBATROSS" in await found(w, "ada", "albatross")


async def test_a_channel_that_is_looked_at_is_read_for_who_may_read_it(tmp_path: Path) -> None:
    """The agent panel says which channel is before a person: a client could say any, and rights may have ended since."""
    async with world(tmp_path, slack_app=APP) as w:
        w.slack.add_channel("closed", ["ada"], "private")
        w.slack.post("ada", "closed", "the launch is called PELICAN")
        w.slack.open_dm("grace")
        w.slack.change_context("grace", "closed")
        await w.slack.idle()
        await w.answers(w.slack.post("grace", w.slack.dm("grace"), "what is said there?"))
        assert "PELICAN" not in told_model(w)
        assert not w.slack.calls_to("conversations.history"), "what somebody may not read is not even fetched"
        w.slack.change_context("ada", "closed")
        await w.slack.idle()
        await w.answers(w.slack.post("ada", w.slack.dm("ada"), "what is said there?"))
        assert "PELICAN" in told_model(w)


# --- Names -----------------------------------------------------------------------------------------------------------


async def test_a_channel_s_name_is_told_to_who_may_see_it(tmp_path: Path) -> None:
    """A private channel's id stays an id for who is not in it; with others around, also for who is."""
    async with world(tmp_path, slack_app=APP) as w:
        closed = w.slack.add_channel("layoffs-2027", ["ada"], "private")
        text = f"what is <#{closed.id}> next to <#{w.slack.channel('random').id}>?"
        await w.answers(w.slack.post("grace", w.slack.dm("grace"), text))
        told = told_model(w)
        assert f"#{closed.id} next to #random" in told and "layoffs" not in told
        await w.answers(w.mention(text, "general", "ada"))
        assert "layoffs" not in told_model(w)
        await w.answers(w.slack.post("ada", w.slack.dm("ada"), text))
        assert "#layoffs-2027 next to #random" in told_model(w)
        await w.answers(w.mention("here: " + text, "layoffs-2027", "ada"))
        assert "#layoffs-2027 next to #random" in told_model(w)


async def test_no_name_of_another_workspace_is_told(tmp_path: Path) -> None:
    """Ids of channels and people elsewhere stay ids, though the same Parley serves there."""
    async with world(tmp_path, slack_app=APP) as w:
        other = w.slack.add_team("Globex", people=("hank",), channels=("secret-merger",))
        hank, room = w.slack.user("hank", other), w.slack.channel("secret-merger", other)
        await w.answers(w.mention(f"who is <@{hank.id}> and what is <#{room.id}>?"))
        told = told_model(w)
        assert f"@{hank.id}" in told and f"#{room.id}" in told and "hank" not in told and "merger" not in told


async def test_a_text_full_of_ids_asks_for_few(tmp_path: Path) -> None:
    """A refusal is remembered, and one text makes Parley ask for so many names and no more."""
    async with world(tmp_path, slack_app=APP) as w:
        ids = [f"U0NOBODY{number:03}" for number in range(300)]
        text = " ".join(f"<@{one}>" for one in ids) + " ".join(f"<#C0NOWHERE{number:03}>" for number in range(300))
        await w.answers(w.mention(text))
        asked = len(w.slack.calls_to("users.info")), len(w.slack.calls_to("conversations.info"))
        assert asked[0] <= 45 and asked[1] <= 45
        await w.answers(w.mention(" ".join(f"<@{one}>" for one in ids[:30])))
        assert len(w.slack.calls_to("users.info")) <= asked[0] + 2


# --- Pressing and setting --------------------------------------------------------------------------------------------


async def _pressed_by(w: World, person: str, answer: Message) -> str:
    """What somebody is told who presses Regenerate."""
    await w.slack.click(person, answer, "parley:regenerate")
    await w.settled()
    told = [one.shown for one in w.slack.ephemerals("general", person)]
    return told[-1] if told else ""


async def test_who_manages_the_place_may_press(tmp_path: Path) -> None:
    """An admin or owner of the workspace, or whoever made the channel; no colleague, and no guest who made it."""
    async with world(tmp_path, slack_app=APP) as w:
        for name in ("boss", "chief"):
            w.slack.add_user(name)
            w.slack.channel("general").members.append(w.slack.user(name).id)
        w.slack.change_user("boss", is_admin=True)
        w.slack.change_user("chief", is_owner=True)
        (answer,) = await w.answers(w.mention("whose is it?", user="chief"))
        assert "Only the person who asked" in await _pressed_by(w, "grace", answer)
        for manager in ("boss", "ada"):  # ada made #general
            (answer,) = await w.answers(w.mention(f"one for {manager}", user="chief"))
            assert await _pressed_by(w, manager, answer) == ""
        w.slack.change_user("ada", is_restricted=True)
        await w.slack.idle()
        (answer,) = await w.answers(w.mention("and now?", user="chief"))
        assert "Only the person who asked" in await _pressed_by(w, "ada", answer)


async def test_a_channel_s_settings_are_its_managers(tmp_path: Path) -> None:
    """Whether they are set by a slash command or behind a mention; who may is told to all there, who may not to themselves."""
    async with world(tmp_path, slack_app=APP) as w:
        here = Address("slack", w.slack.team.id, w.slack.channel("general").id)
        grace = w.slack.user("grace").id
        await w.slack.slash("grace", "general", "/settings", "set verbosity low for channel")
        await w.settled()
        w.mention("/settings set verbosity low for channel", user="grace")
        await w.settled()
        assert (await w.app.host.settings.effective(here, grace)).verbosity != "low"
        assert "Only those who manage this channel" in w.slack.ephemerals("general", "grace")[0].shown
        await w.slack.slash("ada", "general", "/settings", "set verbosity low for channel")
        await w.settled()
        assert (await w.app.host.settings.effective(here, grace)).verbosity == "low"
        assert any("verbosity is now" in one.shown for one in w.slack.from_bot("general"))
        await w.answers(w.mention("/settings set verbosity high for channel", user="ada"))
        assert (await w.app.host.settings.effective(here, grace)).verbosity == "high"


async def test_slack_is_asked_who_manages_only_where_it_matters(tmp_path: Path) -> None:
    """Not for a question, a thumb, or a command that sets nothing; and an answer that does not come delays nothing."""
    async with world(tmp_path, slack_app=APP) as w:
        (answer,) = await w.answers(w.mention("hello"))
        await w.slack.click("grace", answer, "parley:feedback", f"thumbs_up {answer.thread_ts}")
        await w.slack.slash("ada", "general", "/settings")
        await w.settled()
        assert not w.slack.calls_to("conversations.info")
        w.slack.fail("conversations.info", delay_s=9, times=9)
        delivery = await w.slack.slash("grace", "general", "/settings", "set verbosity low for channel")
        assert delivery.acknowledged


# --- Direct ----------------------------------------------------------------------------------------------------------


async def test_a_direct_message_of_two_people_is_not_direct(tmp_path: Path) -> None:
    """Commands and shortcuts are used there too: what is private there stays private, and nobody forgets for both."""
    async with world(tmp_path, slack_app=APP) as w:
        between = w.slack.add_channel("", ["ada", "grace"], "im", bot=False)
        w.slack.post("grace", between, "to be translated: HERON")
        said = w.slack.post("grace", between, "HERON flies at night")
        await w.slack.shortcut("ada", "parley:translate", said)
        await w.settled()
        assert "HERON" not in await found(w, "grace", "heron")
        await w.slack.slash("grace", between, "/ask", "what did she ask?")
        await w.settled()
        assert "HERON" not in told_model(w)


async def test_nobody_forgets_for_the_other_in_a_direct_message_of_two(tmp_path: Path) -> None:
    """Forgetting there is as in a channel: one's own words go, and the other's stay."""
    async with world(tmp_path, slack_app=APP) as w:
        between = w.slack.add_channel("", ["ada", "grace"], "im", bot=False)
        for person, word in (("ada", "PELICAN"), ("grace", "HERON")):
            await w.slack.slash(person, between, "/ask", f"what is a {word}?")
            await w.settled()
        await w.slack.slash("ada", between, "/forget")
        await w.settled()
        left = str([row.parts for row in await rows(w.app, messages)])
        assert "what is a HERON" in left and "PELICAN" not in left


async def test_a_direct_message_with_parley_is_direct(tmp_path: Path) -> None:
    """By a command as by a message: a search there finds what was said there."""
    async with world(tmp_path, slack_app=APP) as w:
        await w.answers(w.slack.post("ada", w.slack.dm("ada"), "remember the ZEBRA"))
        assert "ZEBRA" in await found(w, "ada", "zebra")
        assert "ZEBRA" not in await found(w, "grace", "zebra") and "ZEBRA" not in await found(
            w, "ada", "zebra", "general"
        )


async def test_a_group_message_is_not_direct(tmp_path: Path) -> None:
    """Three are in it: nothing said there is found as one's own direct messages are, and only its members find it."""
    async with world(tmp_path, slack_app=APP) as w:
        w.slack.add_user("hank")
        group = w.slack.add_channel("group", ["ada", "grace"], "mpim")
        await w.answers(w.mention("the WOMBAT plan", group.id))
        assert "WOMBAT" in await found(w, "grace", "wombat") and "WOMBAT" not in await found(w, "hank", "wombat")


async def test_a_private_command_behind_a_mention_is_seen_by_who_gave_it(tmp_path: Path) -> None:
    """Where no thread is yet too: Slack shows nobody what is said to one person in a thread without replies."""
    async with world(tmp_path, slack_app=APP) as w:
        w.mention("/usage")
        await w.settled()
        assert len(w.slack.ephemerals("general", "ada")) == 1 and w.slack.from_bot("general") == []


# --- As Slack describes ----------------------------------------------------------------------------------------------


def test_a_person_of_the_organisation_is_a_member_where_they_belong() -> None:
    """On Enterprise Grid a person has a home workspace and is a member of others. Source: Slack, User object."""
    user = {"id": "U1", "team_id": "T1", "enterprise_user": {"teams": ["T1", "T2"]}, "is_owner": True}
    assert [person_of(user, team).standing for team in ("T1", "T2", "T3")] == ["member", "member", "guest"]
    assert person_of(user, "T2").is_admin and not person_of({**user, "is_stranger": True}, "T2").is_admin
    assert person_of({**user, "deleted": True}, "T1").standing == "nobody" == person_of({}, "T1").standing


def test_only_what_slack_calls_public_is_public() -> None:
    """Group messages are channels to Slack as well; what says nothing of itself is unknown."""
    public = {"id": "C1", "is_channel": True, "is_private": False, "name": "general"}
    assert channel_of(public).kind == "public"
    for changed in ({"is_private": True}, {"is_mpim": True}, {"is_channel": False, "is_group": True}):
        assert channel_of({**public, **changed}).kind == "private"
    assert channel_of({"id": "D1", "is_im": True, "user": "U1"}).kind == "direct" and channel_of({}).kind == "unknown"
