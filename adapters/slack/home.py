"""What Slack shows beside messages: App Home with settings, usage and a guide, suggested prompts, and the modals."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from adapters.shared.buttons import THANKS
from adapters.slack import NAME, callback_ids, render
from adapters.slack.client import SlackClient
from adapters.slack.errors import SlackError
from adapters.slack.forms import Forms
from adapters.slack.parse_interactions import first_action, shortcut_target, view_value
from adapters.slack.parse_parts import Payload, scope_of
from adapters.slack.previews import NO_PREVIEWS
from adapters.slack.ref import SlackRef, TokenScope
from bot.errors import BotError
from bot.policy.settings import SETTINGS
from bot.types import Address, ButtonPress, Settings

OFFERED = ("model", "speech", "voice", "language", "follow", "system_prompt", "effort", "verbosity", "temperature")
"""Settings that App Home offers; `/settings` knows them all."""
PROMPTS = (
    ("Summarise a file", "Summarise the file I am about to send."),
    ("Draft a reply", "Draft a friendly reply to this message:"),
    ("Make a picture", "Make a picture of a lighthouse at dawn."),
    ("What can you do?", "What can you do?"),
)
"""At most four. Source: Slack, assistant.threads.setSuggestedPrompts."""
GUIDE = (
    "*How to talk to me*\n"
    "• Mention me in a channel, then go on in the thread: no further mention is needed.\n"
    "• Write to me directly, send pictures, documents or a voice clip.\n"
    "• Use the menu of any message: Ask about this, Summarise thread, Transcribe, Describe image, Translate.\n"
    "• Edit your question and I revise my answer; delete it and I forget it."
)
OPTION_TEXT = 75
"""Characters of an option's description. Source: Slack, Block Kit, option object."""
SECTION = 2_900
"""Characters in one section. Source: Slack, Block Kit, section: 3,000."""
log = logging.getLogger(__name__)


class Home:
    """Fills App Home and opens modals."""

    def __init__(self, client: SlackClient) -> None:
        self._client = client
        self.forms = Forms(client)

    # --- App Home and the agent panel ---

    async def opened(self, scope: TokenScope, event: Payload) -> None:
        """Fill what somebody opened: the messages tab with suggested prompts, the home tab with settings and usage."""
        user, channel = str(event.get("user") or ""), str(event.get("channel") or "")
        if event.get("tab") == "messages":
            await self._suggest(scope, channel, "")
            return
        await self.publish(scope, user, channel)

    async def publish(self, scope: TokenScope, user: str, channel: str = "") -> None:
        """Show a person their home. Raises SlackError."""
        address = Address(NAME, scope.team, channel)
        settings = await self._client.host.settings.effective(address, user)
        usage = await self._client.host.usage(address, user)
        state = self.forms.seal(scope, user, channel)
        view = {"type": "home", "private_metadata": state, "blocks": home_blocks(settings, usage)}
        await self._client.call(scope, "views.publish", user_id=user, view=view)

    async def thread_started(self, scope: TokenScope, thread: Payload) -> None:
        """Suggest prompts in a new thread of the older assistant view."""
        await self._suggest(scope, str(thread.get("channel_id") or ""), str(thread.get("thread_ts") or ""))

    async def _suggest(self, scope: TokenScope, channel: str, thread: str) -> None:
        prompts = [{"title": title, "message": message} for title, message in PROMPTS]
        await self._client.call(
            scope,
            "assistant.threads.setSuggestedPrompts",
            channel_id=channel,
            thread_ts=thread or None,
            title="Try one of these",
            prompts=prompts,
        )

    async def thank(self, press: ButtonPress) -> None:
        """Thank the person whose thumb was noted."""
        await self.followup_ephemeral(press, THANKS[press.action])

    async def followup_ephemeral(self, press: ButtonPress, text: str) -> None:
        """Tell only the person who pressed a button. Raises SlackError."""
        ref = SlackRef.from_ref(press.ref, press.address.workspace)
        await self._client.call(
            ref.scope,
            "chat.postEphemeral",
            channel=press.address.channel,
            user=ref.user_id,
            thread_ts=press.address.thread or None,
            text=render.escape(text),
            **NO_PREVIEWS,
        )

    # --- modals ---

    async def open_question(self, body: Payload) -> None:
        """Ask what somebody wants to know about a message."""
        target = shortcut_target(body)
        state = self.forms.seal_target(scope_of(body), _user_of(body), target)
        await self._open(body, ask_view(str(target.get("text") or ""), state))

    async def open_image_edit(self, body: Payload) -> None:
        """Ask how a picture should change."""
        await self._open(body, edit_view(self.forms.seal(scope_of(body), _user_of(body), image_state(body))))

    async def open_settings(self, body: Payload) -> None:
        """Ask which setting should change."""
        channel = self.forms.open(body) or ""
        await self._open(body, settings_view(self.forms.seal(scope_of(body), _user_of(body), channel)))

    async def _open(self, body: Payload, view: dict[str, Any]) -> None:
        """Open a modal, within the 3 seconds for which its trigger is valid."""
        scope = scope_of(body)
        try:
            await self._client.call(scope, "views.open", trigger_id=body.get("trigger_id"), view=view)
        except SlackError as error:
            log.warning("a modal could not be opened: %s", error.detail or error.text)

    async def change_setting(self, body: Payload) -> dict[str, Any] | None:
        """Set what was chosen; gives the answer that says in the modal what is wrong with it, or None."""
        view, user = body.get("view") or {}, _user_of(body)
        scope = scope_of(body)
        name, value = view_value(view, "name"), view_value(view, "words")
        channel = self.forms.open(body) or ""
        try:
            await self._client.host.settings.set(Address(NAME, scope.team, channel), user, "person", name, value)
        except BotError as error:
            return {"response_action": "errors", "errors": {"words": error.text[:250]}}
        with suppress(SlackError):  # it is set, whether or not the home shows it yet
            await self.publish(scope, user, channel)
        return None


def home_blocks(settings: Settings, usage: str) -> list[render.Block]:
    """App Home."""
    chosen = [f"• `{name}`: {_shown(getattr(settings, name))}" for name in OFFERED]
    button = {"type": "button", "action_id": callback_ids.SETTINGS, "text": _plain("Change a setting")}
    return [
        {"type": "header", "text": _plain("Parley")},
        _section(GUIDE),
        {"type": "divider"},
        {**_section("*Your settings*\n" + "\n".join(chosen)), "accessory": button},
        {"type": "divider"},
        _section("*Your usage*\n" + _tables_as_text(usage)),
    ]


def _shown(value: Any) -> str:
    return "_as configured_" if value is None else render.escape(str(value))[:200]


def _tables_as_text(markdown: str) -> str:
    """The Markdown with its tables in aligned columns: mrkdwn has no tables."""
    lines = markdown.split("\n")
    rows = [line for line in lines if line.startswith("|")]
    if len(rows) < 2:
        return render.escape(markdown)
    before, after = lines[: lines.index(rows[0])], lines[lines.index(rows[-1]) + 1 :]
    return "\n".join(
        line for line in [*map(render.escape, before), *render.table_as_text(rows), *map(render.escape, after)] if line
    )


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def _section(text: str) -> render.Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:SECTION]}}


def _modal(callback: str, title: str, state: str, blocks: list[render.Block]) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": _plain(title),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "private_metadata": state,
        "blocks": blocks,
    }


def _words(label: str, hint: str, *, optional: bool = False) -> render.Block:
    element = {"type": "plain_text_input", "action_id": "words", "multiline": True, "placeholder": _plain(hint)}
    return {"type": "input", "block_id": "words", "label": _plain(label), "element": element, "optional": optional}


def ask_view(text: str, state: str) -> dict[str, Any]:
    """The modal that asks what somebody wants to know about a message. state: what comes back with it."""
    quoted = " ".join(text.split())
    about = (
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": render.escape(quoted)[:300]}]}] if quoted else []
    )
    blocks = [*about, _words("Your question", "What would you like to know about it?")]
    return _modal(callback_ids.ASK, "Ask about this", state, blocks)


def image_state(body: Payload) -> str:
    """Where the picture stands whose button was pressed, and which question it answers."""
    state = {**(body.get("container") or {}), "question": str(first_action(body).get("value") or "")}
    return json.dumps(
        {name: state.get(name) for name in ("channel_id", "message_ts", "thread_ts", "question") if state.get(name)}
    )


def edit_view(state: str) -> dict[str, Any]:
    """The modal that asks how a picture should change. state: what comes back with it."""
    words = [_words("What should change?", "Make it bluer")]
    return _modal(callback_ids.EDIT_IMAGE, "Edit the picture", state, words)


def settings_view(state: str) -> dict[str, Any]:
    """The modal that asks for a setting and its value. state: what comes back with it."""
    options = [
        {
            "text": _plain(name.replace("_", " ")),
            "value": name,
            "description": _plain(SETTINGS[name].allowed[:OPTION_TEXT]),
        }
        for name in OFFERED
    ]
    select = {"type": "static_select", "action_id": "name", "options": options, "initial_option": options[0]}
    name: render.Block = {"type": "input", "block_id": "name", "label": _plain("Setting"), "element": select}
    value = _words("Value", "Leave empty to reset it", optional=True)
    return _modal(callback_ids.SETTINGS, "Your settings", state, [name, value])


def _user_of(body: Payload) -> str:
    person = body.get("user")
    return str((person.get("id") if isinstance(person, Mapping) else person) or "")
