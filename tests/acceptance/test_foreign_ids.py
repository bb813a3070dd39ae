"""Every id that comes back from a client is looked up for its server, channel and person: another's opens nothing."""

from __future__ import annotations

import copy
import hashlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adapters.discord.emulator import User
from adapters.discord.emulator import interactions as kinds
from adapters.discord.emulator.interactions import Interaction
from adapters.discord.emulator.messages import join_thread
from adapters.slack.emulator import AppConfig, Message, Shortcut
from bot.types import ACTIONS
from tests.acceptance import discord_support, slack_support
from tests.acceptance.playground_support import Person, playing
from tests.conftest import MakeConfig
from tests.support import echo

SECRET = "ALBATROSS"
ODD = ("", "0", "9" * 5_000, "1.1", "../..", "' OR 1=1 --", "\u00b2", "parley:ask:1", "null")
SLACK = AppConfig(shortcuts=(Shortcut("Ask about this", "parley:ask"), Shortcut("Translate", "parley:translate")))
Json = dict[str, Any]


def asked_since(w: Any, count: int) -> str:
    """What models were asked after so many calls."""
    return str([call.request for call in echo(w.app).calls[count:] if call.modality == "chat"])


# --- Slack -----------------------------------------------------------------------------------------------------------


def slack_forgeries(press: Json, form: Json, foreign: list[Message]) -> Iterator[Json]:
    """A genuine press and a genuine form, with the ids of others' messages, or with none that exist, in each place for an id."""
    targets = [(one.channel, one.ts, one.thread_ts or one.ts) for one in foreign]
    own = press["container"]
    targets += [(own["channel_id"], odd, odd) for odd in ODD] + [(odd, own["message_ts"], odd) for odd in ODD]
    for channel, ts, thread in targets:
        for action in ACTIONS:
            pressed = copy.deepcopy(press)
            pressed["actions"][0] |= {"action_id": f"parley:{action}", "value": ts}
            yield pressed
            pressed = copy.deepcopy(pressed)
            pressed["container"] |= {"channel_id": channel, "message_ts": ts, "thread_ts": thread}
            pressed["channel"]["id"] = channel
            yield pressed
        for callback in ("parley:ask", "parley:edit_image", "parley:settings"):
            sent = copy.deepcopy(form)
            state = {"channel": channel, "ts": ts, "thread": thread, "text": "", "files": [], "question": ts}
            state |= {"channel_id": channel, "message_ts": ts, "thread_ts": thread}
            sent["view"] |= {"callback_id": callback, "private_metadata": json.dumps(state)}
            yield sent


async def test_slack_ids_of_others_open_nothing(tmp_path: Path) -> None:
    """Presses and forms with the ids of another's direct message, of a private channel, of nothing and of nonsense."""
    async with slack_support.world(tmp_path, slack_app=SLACK) as w:
        slack = w.slack
        slack.add_user("mallory")
        slack.join("mallory", "general")
        slack.add_channel("closed", ["ada"], "private")
        direct = slack.post("ada", slack.dm("ada"), SECRET)
        foreign = [direct, *await w.answers(direct)]
        closed = w.mention(SECRET, "closed")
        foreign += [closed, *await w.answers(closed)]
        (own,) = await w.answers(w.mention("hello", user="mallory"))
        press = (await slack.click("mallory", own, "parley:regenerate")).payload
        bait = slack.post("mallory", "general", "bait")
        await slack.shortcut("mallory", "parley:ask", bait)
        view = next(one for one in slack.world.views.values() if one.payload.get("callback_id") == "parley:ask")
        form = (await slack.submit_modal("mallory", view, {"words": "what is that?"})).payload
        await w.settled()
        shown, count = [one.shown for one in foreign], len(echo(w.app).calls)
        for number, forged in enumerate(slack_forgeries(press, form, foreign)):
            forged["trigger_id"] = f"forged.{number}"
            await slack.desk.post.send_and_wait("interactive", forged)
        await w.settled()
        assert SECRET not in asked_since(w, count)
        assert [one.shown for one in foreign] == shown
        seen = [one.shown for room in ("general",) for one in slack.from_bot(slack.channel(room))]
        assert SECRET not in str(seen) + str(
            [one.shown for one in slack.ephemerals(slack.channel("general"), "mallory")]
        )


# --- Discord ---------------------------------------------------------------------------------------------------------


def discord_forgeries(
    w: discord_support.World, user: User, own: Any, form: Json, foreign: list[int]
) -> Iterator[Interaction]:
    """Buttons, menus, forms and what completes itself, with the ids of others' messages and of none."""
    d, names = w.discord, [*map(str, foreign), *(one[:80] for one in ODD)]
    channel = d.world.channels[own.channel_id]
    for name in names:
        for action in (*ACTIONS, "settings", "ask"):
            for custom_id in (
                f"parley:{action}:{name}:{name}",
                f"parley:{action}:{name}",
                f"parley:{action}:{own.id}:{name}",
            ):
                data: Json = {"component_type": 2, "custom_id": custom_id[:100], "id": 1}
                yield d.interactions.open(kinds.COMPONENT, user, channel, data, message=own)
        for custom_id in (f"parley:ask:{name}", f"parley:edit_image:{name}:{name}", f"parley:settings:{name}"):
            data = {**copy.deepcopy(form), "custom_id": custom_id[:100]}
            yield d.interactions.open(kinds.MODAL_SUBMIT, user, channel, data, message=own)


async def test_discord_ids_of_others_open_nothing(tmp_path: Path) -> None:
    """Buttons and forms with the ids of a private thread, a direct message, another server, of nothing and of nonsense."""
    async with discord_support.world(tmp_path, valid=False) as w:
        d = w.discord
        await d.wait_for(lambda: d.registered.named(None, "Ask about this", 3))
        thread = d.create_thread(d.alice, d.general, "private", private=True)
        join_thread(d.world, thread, d.bot.id)
        elsewhere = d.add_channel(d.add_guild("Elsewhere", members=[d.alice]), "lobby")
        foreign: list[int] = []
        for place in (thread, elsewhere):
            question = w.mention(SECRET, place)
            foreign += [question.id, (await w.answers(question))[0].id]
        direct = d.post(d.alice, d.direct(d.alice), SECRET)
        foreign += [direct.id, (await w.answers(direct))[0].id]
        (own,) = await w.answers(w.mention("hello", user=d.bob))
        used = d.context_menu(d.bob, "Ask about this", own)
        await d.wait_for(lambda: used.modal)
        sent = d.submit_modal(used, {"words": "what is that?"})
        await d.wait_for(lambda: sent.original and sent.original.content)
        await w.settled()
        count, posts = len(echo(w.app).calls), {one: d.world.messages[one].content for one in foreign}
        forged = list(discord_forgeries(w, d.bob, own, sent.data, foreign))
        await w.settled(60)
        assert len(forged) > 300 and SECRET not in asked_since(w, count)
        assert {one: d.world.messages[one].content for one in foreign} == posts
        assert SECRET not in str([one.content for one in d.replies(d.general)])


# --- The page --------------------------------------------------------------------------------------------------------


async def test_page_ids_of_others_open_nothing(make_config: MakeConfig) -> None:
    """Every address of the page with another visitor's conversation, message, file and event, and with nonsense."""
    async with playing(make_config) as playground:
        ann, ben = Person(playground.url), Person(playground.url)
        try:
            await ann.arrive()
            await ben.arrive()
            message = await ann.post(SECRET, ("secret.txt", SECRET.encode(), "text/plain"))
            entries = await ann.settled()
            sha = hashlib.sha256(SECRET.encode()).hexdigest()
            assert sha in str(entries)
            handle = ann.channel.partition("-")[0]
            channels = (ann.channel, handle, f"{handle}-{uuid.uuid4().hex}", *ODD[1:])
            for channel in channels:
                for method, path in page_paths(channel, message, sha):
                    async with ben.http.request(
                        method, path, json={"id": "1", "action": "regenerate", "text": "x"}
                    ) as got:
                        assert got.status in (400, 401, 403, 404, 405), (method, path[:80], got.status)
                        assert SECRET not in await got.text()
            assert await ann.entries() == entries
        finally:
            await ann.http.close()
            await ben.http.close()


def page_paths(channel: str, message: str, sha: str) -> Iterator[tuple[str, str]]:
    """Each thing that can be asked about a conversation or what is in it."""
    there = f"/api/conversations/{quote(channel, safe='')}"
    yield from (("GET", there), ("DELETE", there), ("GET", f"/api/events?conversation={quote(channel, safe='')}"))
    yield from (("PATCH", f"{there}/messages/{message}"), ("DELETE", f"{there}/messages/{message}"))
    yield ("POST", f"{there}/messages/{message}/press")
    yield ("GET", f"/api/blobs/{sha}")
