"""Slack end to end: what people do there, and what they see."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from adapters.slack.emulator import AppConfig, Shortcut, SlackEmulator
from adapters.slack.emulator import files as emulated_files
from adapters.slack.hosts import SlackHosts
from adapters.slack.intake import LOOKING_AT_S
from adapters.slack.reply import ReplyLimits
from bot.store.schema import feedback
from bot.types import Address
from tests.acceptance.slack_support import parley, world
from tests.making import picture, voice_note
from tests.support import last_request

APP = AppConfig(
    shortcuts=tuple(
        Shortcut(name, callback)
        for name, callback in (
            ("Ask about this", "parley:ask"),
            ("Summarise thread", "parley:summarize"),
            ("Transcribe", "parley:transcribe"),
            ("Describe image", "parley:describe"),
            ("Translate", "parley:translate"),
        )
    ),
    slash_commands=("/parley", "/ask", "/say", "/imagine", "/usage", "/help", "/parley-search"),
)


# --- Ways in ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("http", [False, True], ids=["socket", "http"])
async def test_a_mention_is_answered_in_its_thread(tmp_path: Path, http: bool) -> None:
    """A mention brings one streamed answer in the thread, though it arrives as two events."""
    async with world(tmp_path, http=http) as w:
        asked = w.mention("hello there [[slow 0.15]]")
        (answer,) = await w.answers(asked)
        assert "You said: hello there" in answer.shown
        assert answer.thread_ts == asked.ts
        assert len(w.slack.calls_to("chat.startStream")) == 1
        assert w.slack.calls_to("chat.appendStream")
        assert w.slack.status("general", asked.ts) == ""
        assert [call.error for call in w.slack.calls if call.error] == []


async def test_a_thread_goes_on_without_a_mention(tmp_path: Path) -> None:
    """Who replies in an answered thread need not mention Parley again; elsewhere nobody is answered unasked."""
    async with world(tmp_path) as w:
        w.slack.post("ada", "general", "nobody asked")
        asked = w.mention("first")
        await w.answers(asked)
        again = w.slack.post("grace", "general", "second", thread_ts=asked.ts)
        (answer,) = await w.answers(again)
        assert "second" in answer.shown and "Messages before: 2" in answer.shown
        assert len(w.slack.from_bot("general")) == 0


async def test_a_channel_can_be_followed_always_or_never(tmp_path: Path) -> None:
    """The setting `follow` of a channel decides: always answers everything, mention only mentions."""
    async with world(tmp_path) as w:
        await w.slack.slash("ada", "general", "/parley", "settings set follow always for channel")
        await w.settled()
        asked = w.slack.post("ada", "general", "no mention here")
        assert "no mention here" in (await w.answers(asked))[0].shown
        await w.slack.slash("ada", "general", "/parley", "settings set follow mention for channel")
        await w.settled()
        w.slack.post("ada", "general", "and now?", thread_ts=asked.ts)
        await w.settled()
        assert len(w.slack.replies(asked)) == 2


async def test_a_direct_message_is_an_agent_session_with_a_stop_button(tmp_path: Path) -> None:
    """In the agent panel prompts are suggested, a session runs while Parley answers, and Stop ends the answer."""
    async with world(tmp_path) as w:
        dm = w.slack.open_dm("ada")
        await w.slack.wait_for(lambda: w.slack.world.prompts.get(dm.id))
        asked = w.slack.post("ada", dm, "go on [[long 400]] [[slow 0.05]]")
        await w.slack.wait_for(lambda: (s := w.slack.session(dm, asked.ts)) and s.status == "processing")
        await w.slack.wait_for(lambda: w.slack.calls_to("chat.appendStream"))
        w.slack.stop_session("ada", dm, asked.ts)
        (answer,) = await w.answers(asked)
        assert "word3" in answer.shown and "word399" not in answer.shown
        session = w.slack.session(dm, asked.ts)
        assert session is not None and session.status == "active"


async def test_in_a_channel_stop_is_there_as_well(tmp_path: Path) -> None:
    """A session runs in a channel's thread while Parley answers there, so that Slack shows Stop; it ends the answer."""
    async with world(tmp_path) as w:
        asked = w.mention("go on [[long 400]] [[slow 0.05]]")
        await w.slack.wait_for(lambda: w.slack.calls_to("chat.appendStream"))
        w.slack.stop_session("ada", "general", asked.ts)
        (answer,) = await w.answers(asked)
        assert "word3" in answer.shown and "word399" not in answer.shown
        session = w.slack.session("general", asked.ts)
        assert session is not None and session.status == "active"
        with pytest.raises(LookupError):
            w.slack.stop_session("ada", "general", asked.ts)


async def test_where_sessions_are_refused_an_answer_comes_all_the_same(tmp_path: Path) -> None:
    """An app that is no agent there answers without; it does not ask again for each message."""
    async with world(tmp_path) as w:
        w.slack.fail("agents.sessions.setStatus", error="not_an_agent", times=5)
        for _ in range(2):
            (answer,) = await w.answers(w.mention("[[long 40]] [[slow 0.05]]"))
            assert "word39" in answer.shown
        assert len(w.slack.calls_to("agents.sessions.setStatus")) == 1


async def test_a_followed_thread_leaves_others_to_each_other(tmp_path: Path) -> None:
    """Who mentions somebody else in a thread with Parley is noted and not answered."""
    async with world(tmp_path) as w:
        asked = w.mention("first")
        await w.answers(asked)
        w.slack.post("grace", "general", f"<@{w.slack.user('ada').id}> what do you think?", thread_ts=asked.ts)
        await w.settled()
        assert len(w.slack.replies(asked)) == 2
        both = f"<@{w.slack.user('ada').id}> and <@{w.slack.bot.id}>, how many?"
        (answer,) = await w.answers(w.slack.post("grace", "general", both, thread_ts=asked.ts))
        assert "Messages before: 3" in answer.shown


async def test_a_command_behind_a_mention_works_in_threads(tmp_path: Path) -> None:
    """Slack has no slash commands there: `@parley /forget` is one all the same, for the asker alone, and once."""
    async with world(tmp_path, slack_app=APP) as w:
        asked = w.mention("my secret is 1234")
        await w.answers(asked)
        w.mention("/forget", thread_ts=asked.ts)
        await w.slack.wait_for(lambda: w.slack.ephemerals("general", "ada"))
        await w.settled()
        (shown,) = w.slack.ephemerals("general", "ada")
        assert "Forgotten" in shown.shown and shown.thread_ts == asked.ts
        assert await w.app.host.timeline.entries(Address("slack", w.slack.team.id, asked.channel, asked.ts)) == []
        (answer,) = await w.answers(w.mention("/nosuch thing", thread_ts=asked.ts))
        assert "You said: /nosuch thing" in answer.shown


async def test_the_older_assistant_view_works_too(tmp_path: Path) -> None:
    """A workspace with the assistant view gets prompts in its thread, and answers without sessions."""
    events = (*APP.bot_events, "assistant_thread_started", "assistant_thread_context_changed")
    async with world(tmp_path, slack_app=replace(APP, agent_view=False, bot_events=events)) as w:
        root = w.slack.start_assistant_thread("ada", "general")
        await w.slack.wait_for(lambda: w.slack.world.prompts.get(root.channel))
        asked = w.slack.post("ada", root.channel, "hello assistant", thread_ts=root.ts)
        (answer,) = await w.answers(asked)
        assert "hello assistant" in answer.shown
        assert w.slack.session(root.channel, root.ts) is None
        assert w.slack.world.titles[root.channel, root.ts] == "hello assistant"


async def test_the_agent_knows_the_channel_that_is_looked_at(tmp_path: Path) -> None:
    """A question in the panel comes with what is said in the channel that the person has before them."""
    async with world(tmp_path) as w:
        w.slack.post("grace", "general", "The launch is on Friday")
        await w.slack.idle()
        w.slack.change_context("ada", "general")
        await w.slack.idle()
        asked = w.slack.post("ada", w.slack.dm("ada"), "what is going on here?")
        (answer,) = await w.answers(asked)
        assert "Messages before: 1" in answer.shown


async def test_a_channel_looked_at_long_ago_is_left_alone(tmp_path: Path) -> None:
    """What somebody glanced at once is not read for ever; a channel that is closed to Parley is asked for once."""
    async with world(tmp_path) as w:
        dm = w.slack.dm("ada")
        w.slack.change_context("ada", "random")
        await w.slack.idle()
        for words in ("one", "two"):
            await w.answers(w.slack.post("ada", dm, words))
        assert len(w.slack.calls_to("conversations.history")) == 1
        w.slack.post("grace", "general", "The launch is on Friday")
        w.slack.change_context("ada", "general")
        await w.slack.idle()
        w.adapter.intake.looking_at.expire(w.app.clock.monotonic() + LOOKING_AT_S)
        (answer,) = await w.answers(w.slack.post("ada", dm, "three"))
        assert "Messages before" not in answer.shown


async def test_slash_commands_of_their_own_and_of_parley(tmp_path: Path) -> None:
    """`/ask` and `/parley ask` are the same; a private command's answer only the asker sees."""
    async with world(tmp_path, slack_app=APP) as w:
        await w.slack.slash("ada", "general", "/ask", "one question")
        await w.settled()
        await w.slack.slash("ada", "general", "/parley", "ask another question")
        await w.settled()
        await w.slack.slash("ada", "general", "/parley", "just words")
        await w.settled()
        texts = [m.shown for m in w.slack.from_bot("general")]
        assert [t for t in texts if "one question" in t] and [t for t in texts if "another question" in t]
        assert [t for t in texts if "just words" in t]
        await w.slack.slash("ada", "general", "/usage")
        await w.settled()
        assert "model" in w.slack.ephemerals("general", "ada")[-1].shown.lower()
        assert w.slack.ephemerals("general", "grace") == []
        assert len(w.slack.from_bot("general")) == len(texts)


async def test_a_command_where_we_are_no_member_answers_by_its_response_url(tmp_path: Path) -> None:
    """In a channel without the bot a command is answered all the same."""
    async with world(tmp_path, slack_app=APP) as w:
        await w.slack.slash("ada", "random", "/ask", "who is here?")
        await w.settled()
        await w.slack.wait_for(
            lambda: [m for m in w.slack.messages("random") if "who is here?" in m.shown and m.bot_id]
        )
        await w.slack.slash("ada", "random", "/imagine", "a red barn")
        await w.settled()
        assert [m for m in w.slack.from_bot(w.slack.dm("ada")) if m.files]
        assert "direct messages" in w.slack.ephemerals("random", "ada")[-1].shown


async def test_a_long_answer_where_we_are_no_member_ends_in_the_direct_messages(tmp_path: Path) -> None:
    """A response_url takes few answers: they hold the beginning, and the last says where the rest is."""
    text = " ".join(f"w{number}" for number in range(2500))
    async with world(tmp_path, slack_app=APP, reply_limits=ReplyLimits(max_responses=1)) as w:
        await w.slack.slash("ada", "random", "/ask", f"[[say {text}]]")
        await w.settled()
        (said,) = [m.shown for m in w.slack.messages("random") if m.bot_id]
        (rest,) = [m.shown for m in w.slack.from_bot(w.slack.dm("ada"))]
        assert "direct messages" in w.slack.ephemerals("random", "ada")[-1].shown
        assert [word for word in f"{said} {rest}".split() if word.startswith("w")] == text.split()


async def test_where_nobody_may_write_the_asker_is_told(tmp_path: Path) -> None:
    """When an admin closed the channel the answer comes by direct message, with the reason."""
    async with world(tmp_path) as w:
        w.slack.fail("chat.startStream", error="restricted_action", times=9)
        w.slack.fail("chat.postMessage", error="restricted_action")
        w.mention("a closed question")
        await w.slack.wait_for(lambda: len(w.slack.from_bot(w.slack.dm("ada"))) == 2)
        await w.settled()
        why, answer = w.slack.from_bot(w.slack.dm("ada"))
        assert "restricted_action" in why.shown and "a closed question" in answer.shown


async def test_message_shortcuts_need_no_slash(tmp_path: Path) -> None:
    """Translate is answered for the asker alone, with the target message read; Ask about this asks first."""
    async with world(tmp_path, slack_app=APP) as w:
        said = w.slack.post("grace", "general", "Guten Morgen zusammen")
        await w.slack.shortcut("ada", "parley:translate", said)
        await w.settled()
        (shown,) = w.slack.ephemerals("general", "ada")
        assert "Translate this" in shown.shown and "Guten Morgen zusammen" in shown.shown
        assert shown.thread_ts is None, "Slack shows nobody what is said to one person in a thread that does not exist"
        await w.slack.shortcut("ada", "parley:ask", said)
        modal = (await w.slack.wait_for(lambda: w.slack.modals("ada")))[-1]
        await w.slack.submit_modal("ada", modal, {"words": "What does it mean?"})
        await w.settled()
        found = [m for m in w.slack.replies(said) if m.user == w.slack.bot.id]
        assert len(found) == 1, [(m.shown, m.metadata, m.is_streaming) for m in found]
        (answer,) = found
        assert "What does it mean?" in answer.shown and "Guten Morgen" in answer.shown


async def test_transcribe_and_describe_read_the_message_s_files(tmp_path: Path) -> None:
    """The shortcuts work on clips and pictures of other people's messages."""
    async with world(tmp_path, slack_app=APP) as w:
        clip = w.slack.upload_clip("grace", "general", voice_note("hello world"), mimetype="audio/mp4")
        await w.slack.shortcut("ada", "parley:transcribe", clip)
        await w.settled()
        assert "hello world" in w.slack.ephemerals("general", "ada")[-1].shown
        photo = w.slack.post("grace", "general", "", files=[("photo.png", picture("a sign"))])
        await w.slack.shortcut("ada", "parley:describe", photo)
        await w.settled()
        shown = w.slack.ephemerals("general", "ada")[-1].shown
        assert "Describe what is in this" in shown and "photo.png" in shown
        note = w.slack.post("grace", "general", "", files=[("plan.txt", b"the launch is on Friday")])
        await w.slack.shortcut("ada", "parley:ask", note)
        modal = (await w.slack.wait_for(lambda: w.slack.modals("ada")))[-1]
        await w.slack.submit_modal("ada", modal, {"words": "When is it?"})
        await w.settled()
        (answer,) = w.slack.replies(note)
        assert "When is it?" in answer.shown and "plan.txt" in answer.shown


async def test_summarise_thread_reads_the_thread(tmp_path: Path) -> None:
    """The gist is for the asker alone, in the thread, and all that was said there is read for it."""
    async with world(tmp_path, slack_app=APP) as w:
        root = w.slack.post("grace", "general", "Where do we meet?")
        for words in ("In the park", "At noon"):
            w.slack.post("ada", "general", words, thread_ts=root.ts)
        await w.slack.shortcut("ada", "parley:summarize", root)
        await w.settled()
        (shown,) = w.slack.ephemerals("general", "ada")
        assert "Sum this up" in shown.shown and "Messages before: 3" in shown.shown and shown.thread_ts == root.ts
        assert w.slack.ephemerals("general", "grace") == [] and len(w.slack.replies(root)) == 2


async def test_app_home_shows_settings_usage_and_a_guide(tmp_path: Path) -> None:
    """Settings are shown and changed there; a wrong value is said in the modal."""
    async with world(tmp_path) as w:
        w.slack.open_home("ada")
        home = await w.slack.wait_for(lambda: w.slack.home("ada"))
        text = str(home.payload["blocks"])
        assert "How to talk to me" in text and "usage" in text and "speech" in text
        await w.slack.click_view("ada", home, "parley:settings")
        modal = (await w.slack.wait_for(lambda: w.slack.modals("ada")))[-1]
        wrong = {"name": "speech", "words": "perhaps"}
        await w.slack.submit_modal("ada", modal, wrong)
        assert w.slack.modals("ada")
        await w.slack.submit_modal("ada", modal, {"name": "speech", "words": "never"})
        await w.slack.wait_for(lambda: "`speech`: never" in str((w.slack.home("ada") or home).payload["blocks"]))


async def test_an_edit_revises_and_a_deletion_forgets(tmp_path: Path) -> None:
    """An edited question changes the answer in place; a deleted one leaves the history; an unfurl does nothing."""
    async with world(tmp_path) as w:
        asked = w.mention("first words")
        (answer,) = await w.answers(asked)
        calls = len(w.slack.calls)
        w.slack.unfurl(asked)
        await w.settled()
        assert len(w.slack.calls) == calls
        w.slack.edit(asked, f"<@{w.slack.bot.id}> better words")
        await w.slack.wait_for(lambda: "better words" in answer.shown)
        await w.settled()
        assert [m.ts for m in w.slack.replies(asked)] == [answer.ts]
        other = w.slack.post("ada", "general", "a secret", thread_ts=asked.ts)
        await w.answers(other)
        w.slack.delete(other)
        await w.settled()
        last = w.slack.post("ada", "general", "how many?", thread_ts=asked.ts)
        assert "Messages before: 2" in (await w.answers(last))[0].shown


async def test_an_edit_in_mid_stream_makes_one_message(tmp_path: Path) -> None:
    """A question that is changed while its answer streams: the same message becomes the revised answer."""
    async with world(tmp_path) as w:
        asked = w.mention("first words [[long 400]] [[slow 0.05]]")
        await w.slack.wait_for(lambda: w.slack.calls_to("chat.appendStream"))
        w.slack.edit(asked, f"<@{w.slack.bot.id}> better words")
        await w.slack.wait_for(lambda: [m for m in w.slack.replies(asked) if "better words" in m.shown], 10)
        await w.settled()
        (answer,) = w.slack.replies(asked)
        assert "better words" in answer.shown and "word3" not in answer.shown and not answer.is_streaming


async def test_a_mention_added_by_an_edit_asks(tmp_path: Path) -> None:
    """Who forgot the mention and adds it is answered, once."""
    async with world(tmp_path) as w:
        said = w.slack.post("ada", "general", "hello")
        await w.settled()
        w.slack.edit(said, f"<@{w.slack.bot.id}> hello")
        (answer,) = await w.answers(said)
        assert "You said: hello" in answer.shown


async def test_a_question_deleted_while_it_is_answered_takes_the_answer_along(tmp_path: Path) -> None:
    """No half answer stays below a message that is no more."""
    async with world(tmp_path) as w:
        asked = w.mention("go on [[long 400]] [[slow 0.05]]")
        await w.slack.wait_for(lambda: w.slack.calls_to("chat.appendStream"))
        w.slack.delete(asked)
        await w.slack.wait_for(lambda: not w.slack.from_bot("general", asked.ts))
        await w.settled()
        assert w.slack.from_bot("general", asked.ts) == [] and w.slack.status("general", asked.ts) == ""


async def test_bots_make_no_loops(tmp_path: Path) -> None:
    """Another bot that mentions Parley is not answered, nor does Parley answer itself."""
    async with world(tmp_path) as w:
        w.slack.post("grace", "general", f"<@{w.slack.bot.id}> hi", bot_id="B0OTHER", subtype="bot_message")
        await w.settled()
        assert w.slack.calls_to("chat.postMessage", "chat.startStream") == []


async def test_people_of_another_company_stay_apart(tmp_path: Path) -> None:
    """In a shared channel the author's id carries the other company's."""
    async with world(tmp_path) as w:
        other = w.slack.add_team("Globex", people=("hank",), channels=(), installed=False)
        w.slack.share_channel("general", other, ["hank"])
        hank = w.slack.user("hank", other)
        asked = w.mention("from outside", user=hank.id)
        await w.answers(asked)
        here = Address("slack", w.slack.team.id, asked.channel, asked.ts)
        (question, _) = await w.app.host.timeline.entries(here)
        assert question.author.id == f"{hank.id}@{other.id}"


# --- What comes in ---------------------------------------------------------------------------------------------------


async def test_entities_become_names(tmp_path: Path) -> None:
    """People, channels, groups and links are read as people read them."""
    async with world(tmp_path) as w:
        group = w.slack.add_group("devs", ["ada"])
        grace, room = w.slack.user("grace"), w.slack.channel("random")
        asked = w.mention(
            f"ask <@{grace.id}> in <#{room.id}> or <!subteam^{group.id}> &amp; <https://example.com|the site>"
        )
        (answer,) = await w.answers(asked)
        assert f"ask <@{grace.id}> in #random or @devs & " in answer.shown
        entries = await w.app.host.timeline.entries(Address("slack", w.slack.team.id, asked.channel, asked.ts))
        assert entries[0].author.name == "ada"


async def test_files_and_voice_clips_are_read(tmp_path: Path) -> None:
    """Several files in one message; a clip without text and with a wrong or no type is heard, and answered by voice."""
    async with world(tmp_path) as w:
        dm = w.slack.dm("ada")
        files = [("a.txt", b"alpha text"), ("b.csv", b"x,y\n1,2\n")]
        (answer,) = await w.answers(w.slack.post("ada", dm, "read these", files=files))
        assert "alpha text" in answer.shown or "a.txt" in answer.shown
        for mimetype in ("video/mp4", ""):
            clip = w.slack.upload_clip("ada", dm, voice_note("good day"), mimetype=mimetype)
            await w.slack.wait_for(lambda clip=clip: [m for m in w.slack.replies(clip) if m.files], 15)
            await w.settled()
            shown = w.slack.replies(clip)
            assert "good day" in shown[0].shown
            uploaded = w.slack.world.files[next(m for m in shown if m.files).files[0]]
            assert uploaded.name.startswith("answer-") and len(uploaded.content) > 100


async def test_several_pictures_and_a_video_clip_are_seen(tmp_path: Path) -> None:
    """All pictures of a message, and the picture and sound of a clip."""
    async with world(tmp_path) as w:
        dm = w.slack.dm("ada")
        files = [(f"photo-{number}.png", picture(f"sign {number}")) for number in range(3)]
        (answer,) = await w.answers(w.slack.post("ada", dm, "compare", files=files))
        assert all(f"I see photo-{number}.png (image/" in answer.shown for number in range(3))
        assert "could not be read" not in answer.shown


async def test_a_file_from_earlier_in_the_thread_is_read_when_asked_about(tmp_path: Path) -> None:
    """A clip that somebody posted before Parley was mentioned is heard for the question."""
    async with world(tmp_path) as w:
        clip = w.slack.upload_clip("grace", "general", voice_note("meet at noon"))
        await w.slack.idle()
        (answer,) = await w.answers(w.mention("when do we meet?", thread_ts=clip.ts))
        assert "Messages before: 1" in answer.shown
        (heard, *_) = [call for call in w.app.providers["echo"].script.calls if call.modality == "transcribe"]  # type: ignore[attr-defined]
        assert heard


async def test_a_login_page_is_no_file(tmp_path: Path) -> None:
    """Without files:read Slack gives a page to sign in; the person is told which permission lacks."""
    scopes = tuple(scope for scope in APP.bot_scopes if scope != "files:read")
    async with world(tmp_path, slack_app=replace(APP, bot_scopes=scopes)) as w:
        for name in ("a.txt", "page.html"):
            asked = w.slack.post("ada", w.slack.dm("ada"), "", files=[(name, b"alpha")])
            (answer,) = await w.answers(asked)
            assert "files:read" in answer.shown and "Sign in" not in answer.shown


async def test_a_file_that_is_html_is_read(tmp_path: Path) -> None:
    """A page that somebody uploaded is no page to sign in."""
    async with world(tmp_path) as w:
        page = b"<!doctype html><html><body><p>The launch is on Friday.</p></body></html>"
        (answer,) = await w.answers(w.slack.post("ada", w.slack.dm("ada"), "read", files=[("page.html", page)]))
        assert f"I read page.html (text/html, {len(page)} bytes)" in answer.shown


def test_the_token_goes_to_slack_alone() -> None:
    """To its hosts, or those of the API that is configured (GovSlack has hosts of its own), by https; and to an emulator's."""

    def is_slack(api: str, url: str) -> bool:
        return SlackHosts(api).takes_token(url)

    gov, usual = "https://slack-gov.com/api/", "https://slack.com/api/"
    assert is_slack(usual, "https://files.slack.com/x") and is_slack(gov, "https://files.slack-gov.com/x")
    assert is_slack("http://127.0.0.1:81/api/", "http://127.0.0.1:81/files/x")
    for api, url in (
        (usual, "https://files.slack-gov.com/x"),
        (gov, "http://files.slack-gov.com/x"),
        (gov, "https://evilslack-gov.com/x"),
        (usual, "https://slack.com.evil.example/x"),
        (usual, "https://files.slack.com:444/x"),
        (usual, "https://files.slack.com@evil.example/x"),
        (usual, "https://files.slack.com:x/x"),
        (usual, "https://[files.slack.com/x"),
        (usual, "http://127.0.0.1/x"),
        ("http://127.0.0.1:81/api/", "http://127.0.0.1:82/x"),
    ):
        assert not is_slack(api, url), url


async def test_files_of_slack_connect_are_asked_for(tmp_path: Path) -> None:
    """A file known only by its id is looked up before it is fetched."""
    async with world(tmp_path) as w:
        shared = w.slack.file("ada", "plan.txt", b"the whole plan", access="check_file_info")
        (answer,) = await w.answers(w.slack.post("ada", w.slack.dm("ada"), "read", files=[shared]))
        assert w.slack.calls_to("files.info") and "I read plan.txt (text/plain, 14 bytes)" in answer.shown


async def test_a_thread_before_the_mention_is_read(tmp_path: Path) -> None:
    """Mentioned late, Parley knows the parent, the thread and other apps' cards."""
    async with world(tmp_path) as w:
        room = w.slack.add_channel("late", members=["ada", "grace"], bot=False)
        root = w.slack.post("grace", room, "The server is down")
        card = [{"id": 1, "title": "Alert 42", "text": "CPU at 99%", "fallback": "alert"}]
        w.slack.post("grace", room, "", thread_ts=root.ts, bot_id="B0MON", subtype="bot_message", attachments=card)
        w.slack.post("ada", room, "looking", thread_ts=root.ts)
        await w.slack.idle()
        w.slack.invite_bot(room)
        asked = w.mention("what happened?", channel=room.id, thread_ts=root.ts)
        (answer,) = await w.answers(asked)
        assert "Messages before: 3" in answer.shown
        entries = await w.app.host.timeline.entries(Address("slack", w.slack.team.id, room.id, root.ts))
        assert entries


async def test_a_distributed_app_reads_little_and_says_so(tmp_path: Path) -> None:
    """With 15 messages a minute the answer comes all the same, and the model knows that history is partial."""
    app = replace(APP, distributed=True)
    async with world(tmp_path, slack_app=app, limits="strict") as w:
        room = w.slack.add_channel("busy", members=["ada", "grace"], bot=False)
        root = w.slack.post("grace", room, "start")
        for number in range(30):
            w.slack.post("grace", room, f"line {number}", thread_ts=root.ts)
        await w.slack.idle()
        w.slack.invite_bot(room)
        (answer,) = await w.answers(w.mention("sum up", channel=room.id, thread_ts=root.ts))
        before = int(answer.shown.rpartition("Messages before: ")[2].split()[0])
        assert 0 < before < 31
        prompt = "\n".join(part.text for message in last_request(w.app).messages for part in message.parts)
        assert "Earlier messages of this conversation exist, but could not be read." in prompt


# --- What goes out ---------------------------------------------------------------------------------------------------


async def test_where_streams_are_refused_edits_do(tmp_path: Path) -> None:
    """A workspace without native streams sees the answer grow by edits, in one message."""
    async with world(tmp_path) as w:
        w.slack.fail("chat.startStream", error="unknown_method", times=5)
        asked = w.mention("edits please [[long 40]] [[slow 0.05]]")
        (answer,) = await w.answers(asked, timeout_s=15)
        assert "word39" in answer.shown and w.slack.calls_to("chat.update")
        assert "Stop" not in str(answer.blocks)


async def test_a_stream_that_dies_loses_nothing(tmp_path: Path) -> None:
    """When Slack ends a stream in the middle the same message holds the whole answer in the end."""
    async with world(tmp_path) as w:
        asked = w.mention("[[long 60]] [[slow 0.05]]")
        await w.slack.wait_for(lambda: w.slack.calls_to("chat.appendStream"))
        w.slack.fail("chat.appendStream", error="message_not_in_streaming_state")
        (answer,) = await w.answers(asked, timeout_s=15)
        assert "word59" in answer.shown and "word30" in answer.shown


async def test_a_long_stream_is_rotated_before_it_dies(tmp_path: Path) -> None:
    """Beyond what a stream bears the answer goes on in another message; together they are the whole."""
    async with world(tmp_path, reply_limits=ReplyLimits(stream_pace_s=0.02)) as w:
        asked = w.mention("[[long 2600]] [[slow 0.0005]]")
        answers = await w.answers(asked, 2, timeout_s=25)
        words = " ".join(m.shown for m in answers).split()
        assert [word for word in words if word.startswith("word")] == [f"word{n}" for n in range(2600)]
        assert all(len(m.shown) <= 12_000 for m in answers)


async def test_an_old_stream_is_rotated_before_it_dies(tmp_path: Path) -> None:
    """A stream that grows old is ended in time and goes on in another message, between words; the last carries the buttons."""
    limits = ReplyLimits(stream_pace_s=0.05, rotate_s=0.4, rotate_now_s=0.6)
    async with world(tmp_path, reply_limits=limits) as w:
        asked = w.mention("[[long 40]] [[slow 0.05]]")
        answers = await w.answers(asked, 2, timeout_s=15)
        words = [word for m in answers for word in m.shown.split() if word.startswith("word")]
        assert words == [f"word{n}" for n in range(40)]
        assert [bool(m.metadata) for m in answers] == [True] * len(answers)
        assert ["parley:regenerate" in str(m.blocks) for m in answers] == [False] * (len(answers) - 1) + [True]
        await w.slack.click("ada", answers[-1], "parley:regenerate")
        await w.slack.wait_for(lambda: len(w.slack.replies(asked)) == 1, 15)
        await w.settled()
        assert "word39" in w.slack.replies(asked)[0].shown


async def test_a_long_answer_at_once_is_continued_with_fences_closed(tmp_path: Path) -> None:
    """Each message of a long answer renders alone."""
    code = "\n".join(f"x{n} = {n}" for n in range(450))
    text = "\n\n".join(f"Part {n}\n\n```python\n{code}\n```" for n in range(4))
    async with world(tmp_path) as w:
        asked = w.mention(f"[[say {text}]]")
        answers = await w.answers(asked, 2)
        assert all(m.shown.count("```") % 2 == 0 for m in answers)
        assert sum("x449 = 449" in m.shown for m in answers) >= 1


async def test_very_long_code_is_a_file(tmp_path: Path) -> None:
    """Code beyond a screenful of screenfuls is uploaded, with its beginning shown."""
    code = "\n".join(f"print({n})" for n in range(1500))
    async with world(tmp_path) as w:
        asked = w.mention(f"[[say Here:\n```python\n{code}\n```]]")
        await w.answers(asked)
        (shared,) = [m for m in w.slack.replies(asked) if m.files]
        file = w.slack.world.files[shared.files[0]]
        assert file.name == "code-1.py" and b"print(1499)" in file.content


async def test_tables_are_tables(tmp_path: Path) -> None:
    """A Markdown table is a table block in the end."""
    async with world(tmp_path) as w:
        asked = w.mention("[[say Prices:\n\n| fruit | price |\n|---|---:|\n| apple | 1 |\n| pear | 2 |\n]]")
        (answer,) = await w.answers(asked)
        assert "table" in [block["type"] for block in answer.blocks]


@pytest.mark.parametrize("words", ["", " [[slow 0.05]]"], ids=["at once", "streamed"])
async def test_nobody_is_pinged_unless_the_asker_wrote_it(tmp_path: Path, words: str) -> None:
    """The model's mentions are plain text, whole sequences too; `@Name` of somebody whom the asker mentioned is a mention."""
    async with world(tmp_path) as w:
        grace, hank = w.slack.user("grace").id, w.slack.add_user("hank").id
        sequences = f"&lt;!channel&gt; and &lt;!here&gt; and &lt;@{grace}&gt;"
        asked = w.mention(f"[[say hey {sequences} @grace, @channel]]{words}")
        (answer,) = await w.answers(asked)
        assert "hey" in answer.shown and answer.pings == []
        allowed = w.mention(
            f"say hi to <@{grace}>: [[say hi @grace. and @Grace, @hank, @graceful `@grace` {sequences}]]{words}"
        )
        (answer,) = await w.answers(allowed)
        assert answer.pings == [f"<@{grace}>"]
        assert f"hi <@{grace}>. and <@{grace}>, @hank, @graceful `@grace`" in answer.shown
        assert f"<@{hank}>" not in str(answer.blocks)


async def test_pictures_and_speech_go_into_the_thread(tmp_path: Path) -> None:
    """A picture comes with Vary and Edit under it; a variation is a further answer."""
    async with world(tmp_path) as w:
        asked = w.mention('[[tool generate_image {"prompt": "a red barn", "shape": "square"}]]')
        answers = await w.answers(asked, 3)
        assert [m for m in answers if m.files]
        controls = next(m for m in answers if "parley:vary" in str(m.blocks))
        assert answers[-1] is controls and answers[-2].files
        actions = [e["action_id"] for b in controls.blocks for e in b.get("elements", [])]
        assert "parley:vary" in actions and "parley:edit_image" in actions
        before = len(w.slack.replies(asked))
        await w.slack.click("ada", controls, "parley:vary")
        await w.slack.wait_for(lambda: len(w.slack.replies(asked)) > before)
        await w.settled()
        assert len([m for m in w.slack.replies(asked) if m.files]) == 2
        await w.slack.click("ada", controls, "parley:edit_image")
        modal = (await w.slack.wait_for(lambda: w.slack.modals("ada")))[-1]
        await w.slack.submit_modal("ada", modal, {"words": "make it blue"})
        await w.slack.wait_for(lambda: len([m for m in w.slack.replies(asked) if m.files]) == 3, 15)
        await w.settled()
        drawn = [call for call in w.app.providers["echo"].script.calls if call.modality == "image"]  # type: ignore[attr-defined]
        assert len(drawn) == 3


async def test_buttons_stand_under_their_picture_and_a_new_one_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack shows a file a while after its upload: the buttons come below all the same; Regenerate leaves no old one."""
    monkeypatch.setattr(emulated_files, "SHARE_DELAY_S", 0.4)
    async with world(tmp_path, slack_app=APP) as w:
        asked = w.mention('[[tool generate_image {"prompt": "a red barn", "shape": "square"}]]')
        answers = await w.answers(asked, 3)
        assert [bool(m.files) for m in answers][-2:] == [True, False] and "parley:vary" in str(answers[-1].blocks)
        await w.slack.click("ada", answers[-1], "parley:regenerate")
        await w.slack.wait_for(lambda: answers[-1].ts not in [m.ts for m in w.slack.replies(asked)])
        await w.settled()
        again = w.slack.replies(asked)
        assert [bool(m.files) for m in again][-2:] == [True, False] and len(again) == len(answers)
        assert not [m for m in again for file in m.files if w.slack.world.files[file].deleted]


async def test_a_file_that_is_not_shared_in_time_holds_nothing_up(tmp_path: Path) -> None:
    """The wait for a picture's message is bounded."""
    async with world(tmp_path, slack_app=APP, reply_limits=ReplyLimits(share_s=0.3)) as w:
        w.slack.fail("files.info", error="file_not_found", times=50)
        answers = await w.answers(w.mention('[[tool generate_image {"prompt": "a barn", "shape": "square"}]]'), 3)
        assert [m for m in answers if "parley:vary" in str(m.blocks)]


async def test_only_a_model_s_answer_can_be_given_again(tmp_path: Path) -> None:
    """Under what no model has said there is no Regenerate, as it could only repeat itself; under a failed answer there is."""
    async with world(tmp_path, slack_app=replace(APP, slash_commands=("/parley", "/transcribe"))) as w:
        for words, has_it in (("/transcribe", False), ("hello", True), ("x [[fail overloaded]]", True)):
            before = len(w.slack.dm("ada").messages)
            w.slack.post("ada", w.slack.dm("ada"), words)
            await w.slack.wait_for(lambda: len(w.slack.dm("ada").messages) == before + 2, 40)  # noqa: B023
            await w.settled()
            answer = w.slack.dm("ada").in_order()[-1]
            assert ("parley:regenerate" in str(answer.blocks)) is has_it, words
            assert ("thumbs_up" in str(answer.blocks)) is (words == "hello")


async def test_the_buttons_under_an_answer(tmp_path: Path) -> None:
    """Regenerate edits the same message; a thumb is kept and thanked for."""
    async with world(tmp_path) as w:
        asked = w.mention("once more")
        (answer,) = await w.answers(asked)
        await w.slack.click("ada", answer, "parley:regenerate")
        await w.slack.wait_for(lambda: w.slack.calls_to("chat.update"))
        await w.settled()
        assert [m.ts for m in w.slack.replies(asked)] == [answer.ts]
        await w.slack.click("ada", answer, "parley:feedback", f"thumbs_up {asked.ts}")
        await w.slack.wait_for(lambda: w.slack.ephemerals("general", "ada"))
        async with w.app.store.connect(write=False) as connection:
            assert (await connection.scalars(select(feedback.c.value))).all() == [1]


async def test_status_lines_while_work_runs(tmp_path: Path) -> None:
    """While a clip is heard Slack says so; nothing stays."""
    async with world(tmp_path) as w:
        dm = w.slack.dm("ada")
        clip = w.slack.upload_clip("ada", dm, voice_note("hello"))
        await w.slack.wait_for(lambda: [m for m in w.slack.replies(clip) if m.files], 15)
        await w.settled()
        said = [call.args.get("status", "") for call in w.slack.calls_to("assistant.threads.setStatus")]
        assert "is thinking…" in said and any(text.startswith("is listening to") for text in said)
        assert w.slack.status(dm, clip.ts) == ""


@pytest.mark.parametrize("directive", ["[[fail overloaded]]", "[[empty]]", "[[cut after 3 words]] [[long 9]]"])
async def test_nothing_stays_at_thinking(tmp_path: Path, directive: str) -> None:
    """Whatever fails, the thread ends with words and without a status."""
    async with world(tmp_path) as w:
        asked = w.mention(f"x {directive}")
        (answer,) = await w.answers(asked, timeout_s=40)
        assert answer.shown.strip() and "Thinking" not in answer.shown
        assert w.slack.status("general", asked.ts) == ""


# --- Reliability -----------------------------------------------------------------------------------------------------


async def test_a_429_is_waited_out(tmp_path: Path) -> None:
    """Retry-After is honoured and the answer comes."""
    async with world(tmp_path) as w:
        w.slack.fail("chat.startStream", status=429, retry_after_s=1)
        w.slack.fail("chat.postMessage", status=429, retry_after_s=1)
        (answer,) = await w.answers(w.mention("patience"))
        assert "patience" in answer.shown


async def test_a_lost_answer_is_looked_for_before_posting_again(tmp_path: Path) -> None:
    """When Slack posted but its answer was lost, the message is found by its mark and not posted twice."""
    async with world(tmp_path) as w:
        w.slack.fail("chat.postMessage", drop=True, applied=True)
        asked = w.mention("only once")
        await w.answers(asked)
        assert len(w.slack.replies(asked)) == 1


async def test_many_at_once_under_slack_s_limits_all_end(tmp_path: Path) -> None:
    """Thirty answers at once: each whole, and Slack has to refuse no call."""
    async with world(tmp_path, limits="strict") as w:
        rooms = [w.slack.add_channel(f"room-{number}").id for number in range(30)]
        asked = [w.mention("[[long 20]] [[slow 0.05]]", channel=room) for room in rooms]
        for question in asked:
            (answer,) = await w.answers(question, timeout_s=40)
            assert [word for word in answer.shown.split() if word.startswith("word")] == [f"word{n}" for n in range(20)]
        assert [call.method for call in w.slack.calls if call.status == 429] == []


async def test_many_in_one_channel_wait_their_turn(tmp_path: Path) -> None:
    """A channel takes a message a second: eight commands there are answered at that pace, none is lost or refused."""
    async with world(tmp_path, limits="strict", slack_app=APP) as w:
        for number in range(8):
            await w.slack.slash("ada", "general", "/ask", f"[[say answer-{number}]]")
        await w.settled()
        shown = [m.shown for m in w.slack.from_bot("general")]
        assert [text for number in range(8) for text in shown if f"answer-{number}" in text] == shown
        assert [call.method for call in w.slack.calls if call.status == 429] == []


async def test_an_answer_whose_blocks_slack_refuses_comes_without_them(tmp_path: Path) -> None:
    """Better without buttons than not at all."""
    async with world(tmp_path) as w:
        w.slack.fail("chat.postMessage", error="invalid_blocks")
        (answer,) = await w.answers(w.mention("all the same"))
        assert "all the same" in answer.shown


async def test_a_dead_socket_is_noticed_and_replaced(tmp_path: Path) -> None:
    """A socket that went silent is given up; what was missed meanwhile is answered once."""
    async with SlackEmulator(AppConfig()) as slack, parley(slack, tmp_path) as w:
        await w.answers(w.mention("before"))
        w.adapter.listener.sockets.heartbeat_s = 0.4
        await slack.sockets[0].disconnect()
        await slack.wait_for(lambda: len(slack.sockets) == 1 and slack.sockets[0].number > 1)
        slack.sockets[0].freeze()
        await slack.wait_for(lambda: any(s.number > 2 for s in slack.sockets), 10)
        (answer,) = await w.answers(w.mention("after"))
        assert "after" in answer.shown


async def test_after_a_downtime_what_was_missed_is_answered_once(tmp_path: Path) -> None:
    """Messages in active conversations that came while nobody listened are answered, each once."""
    async with SlackEmulator(AppConfig()) as slack:
        async with parley(slack, tmp_path, durable=True) as w:
            asked = w.mention("before the night")
            await w.answers(asked)
        slack.configure(bot_events=())
        missed = slack.post("ada", "general", "are you there?", thread_ts=asked.ts)
        fresh = slack.post("ada", "general", f"<@{slack.bot.id}> a new one")
        await asyncio.sleep(0)
        slack.configure(bot_events=AppConfig().bot_events)
        async with parley(slack, tmp_path, durable=True) as w:
            (answer,) = await w.answers(missed)
            assert "are you there?" in answer.shown
            assert "a new one" in (await w.answers(fresh))[0].shown
            await w.adapter.history.hand_in_missed(w.app.accept)
            await w.settled()
            assert len(slack.replies(asked)) == 3


async def test_a_repeated_delivery_is_answered_once(tmp_path: Path) -> None:
    """Slack's own repeat of an event that was written is met as one."""
    async with world(tmp_path, http=True) as w:
        asked = w.mention("hello")
        await w.answers(asked)
        first = next(d for d in w.slack.deliveries if d.type == "events_api")
        await w.slack.desk.post.send_and_wait("events_api", first.payload)
        await w.settled()
        assert len(w.slack.replies(asked)) == 1


async def test_what_parley_does_not_understand_is_acknowledged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Slack repeats no event of a kind that nobody listens to; that it holds events back is in the log."""
    async with world(tmp_path, http=True) as w:
        event = {"type": "a_kind_of_tomorrow", "user": w.slack.user("ada").id}
        bodies = (
            {"type": "event_callback", "team_id": w.slack.team.id, "event_id": "Ev9", "event": event},
            {"type": "app_rate_limited", "team_id": w.slack.team.id, "minute_rate_limited": 1},
        )
        for body in bodies:
            delivery = await w.slack.desk.post.send_and_wait("events_api", body)
            assert delivery.attempts[-1].failure is None and len(delivery.attempts) == 1
        assert "fewer events" in caplog.text


async def test_a_wrong_signature_is_refused(tmp_path: Path) -> None:
    """A request that Slack did not sign changes nothing."""
    async with world(tmp_path, http=True) as w:
        assert await w.slack.verify_events_url()
        w.slack.configure(signing_secret="another")
        asked = w.mention("forged")
        await w.slack.wait_for(lambda: any(d.attempts and d.attempts[0].failure for d in w.slack.deliveries))
        assert w.slack.replies(asked) == []


async def test_a_streamed_answer_in_a_channel_can_be_stopped(tmp_path: Path) -> None:
    """While an answer streams in a channel's thread, its session is processing, so Slack shows Stop; afterwards it is not."""
    async with world(tmp_path) as w:
        asked = w.mention("[[long 200]] [[slow 0.05]]")
        await w.slack.wait_for(lambda: [m for m in w.slack.replies(asked) if m.is_streaming])
        session = await w.slack.wait_for(lambda: w.slack.session(w.slack.channel("general"), asked.ts))
        assert session.status == "processing"
        w.slack.stop_session("ada", "general", asked.ts)
        await w.settled()
        (answer,) = await w.answers(asked)
        assert "word199" not in answer.shown
        with pytest.raises(LookupError):
            w.slack.stop_session("ada", "general", asked.ts)


async def test_in_a_followed_thread_colleagues_are_left_alone(tmp_path: Path) -> None:
    """What calls somebody else by name is only noted; what calls nobody is answered."""
    async with world(tmp_path) as w:
        asked = w.mention("hello")
        await w.answers(asked)
        ada = w.slack.user("ada").id
        w.slack.post("grace", "general", f"<@{ada}> what do you think?", thread_ts=asked.ts)
        await w.settled()
        w.slack.post("grace", "general", "and you, Parley?", thread_ts=asked.ts)
        await w.settled()
        shown = [m.shown for m in w.slack.from_bot("general", asked.ts)]
        assert len(shown) == 2 and "and you, Parley?" in shown[1]


async def test_the_buttons_stand_beneath_the_picture(tmp_path: Path) -> None:
    """Slack posts an uploaded picture when it likes; its buttons wait for it. Drawn anew, nothing of the old one is left."""
    async with world(tmp_path) as w:
        asked = w.mention('[[tool generate_image {"prompt": "a red barn", "shape": "square"}]]')
        await w.settled()
        found = w.slack.replies(asked)
        (picture,) = [m for m in found if m.files]
        (controls,) = [m for m in found if "parley:vary" in str(m.blocks)]
        assert picture.ts < controls.ts
        await w.slack.click("ada", controls, "parley:regenerate")
        await w.slack.wait_for(lambda: [m for m in w.slack.replies(asked) if m.files and m.ts > controls.ts])
        await w.settled()
        assert len([m for m in w.slack.replies(asked) if m.files]) == 1
        assert not [m for m in w.slack.replies(asked) if m.subtype == "tombstone"]
