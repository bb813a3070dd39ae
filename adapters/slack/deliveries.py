"""What happens on each delivery from Slack: Bolt's listeners, for what people do and for what concerns the app itself."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.response import BoltResponse

from adapters.shared.tasks import TaskSet
from adapters.slack.callback_ids import ASK, EDIT_IMAGE, PREFIX, SETTINGS
from adapters.slack.client import SlackClient
from adapters.slack.event_names import CHANNEL_SUBTYPES, MEMBER_SUBTYPES, RIGHTS_EVENTS
from adapters.slack.forms import TOO_OLD
from adapters.slack.home import Home
from adapters.slack.install import Install
from adapters.slack.intake import Intake
from adapters.slack.parse import NOT_SHAPED_SO, parse
from adapters.slack.parse_parts import Payload, looked_at_channel, scope_of, workspace
from adapters.slack.rights import Rights
from adapters.slack.signed import JunkError
from bot.errors import BotError
from bot.policy.addressing import is_answerable
from bot.policy.visibility import is_private_answer
from bot.ports import Accept
from bot.types import Accepted, ButtonPress, Command, Inbound

SPOKEN_EVENTS = ("message", "app_mention", "agent_session_stopped")
EVERY = re.compile("")
OURS = re.compile(f"^{PREFIX}:")
"""Ids of our buttons, shortcuts and modals."""
log = logging.getLogger(__name__)


class Deliveries:
    """The listeners. Slack waits three seconds for an answer, so what is not for the inbox and takes long is done afterwards."""

    def __init__(
        self,
        client: SlackClient,
        intake: Intake,
        home: Home,
        install: Install,
        rights: Rights,
        tasks: TaskSet,
        accept: Accept,
    ) -> None:
        """tasks: for what is done afterwards."""
        self._client, self._intake, self._home, self._install, self._rights = client, intake, home, install, rights
        self._tasks, self._accept = tasks, accept

    def register(self, app: AsyncApp) -> None:
        """Listen to all that Parley understands. Of several listeners that fit, Bolt takes the first."""
        app.middleware(self.note_rate_limit)
        app.error(self.failed)
        for name in SPOKEN_EVENTS:
            app.event(name)(self.hand_in)
        app.event("app_home_opened")(self.home_opened)
        app.event("app_context_changed")(self.context_changed)
        app.event("assistant_thread_started")(self.thread_started)
        app.event("assistant_thread_context_changed")(self.thread_context_changed)
        app.event("app_uninstalled")(self.uninstalled)
        app.event("tokens_revoked")(self.tokens_revoked)
        for name in RIGHTS_EVENTS:
            app.event(name)(self._rights.note_change)
        app.command(EVERY)(self.hand_in)
        app.message_shortcut(ASK)(self.ask_about)
        app.message_shortcut(OURS)(self.hand_in)
        app.action(EDIT_IMAGE)(self.edit_image)
        app.action(SETTINGS)(self.open_settings)
        app.action(OURS)(self.hand_in)
        app.view(SETTINGS)(self.change_setting)
        app.view(OURS)(self.hand_in)

    async def failed(self, error: Exception, body: Payload) -> BoltResponse:
        """What a listener raised: Slack is told that it was not taken."""
        if isinstance(error, JunkError) or _is_raised_by_bolt(error):
            log.warning("a delivery of Slack is none: %s", error)
            return BoltResponse(status=400)
        if isinstance(error, BotError):
            log.warning("a delivery of Slack could not be taken: %s", error.detail or error.text)
        else:
            log.error("a delivery of Slack failed", exc_info=error)
        return BoltResponse(status=500)

    # --- what people do ---

    async def hand_in(self, body: Payload, ack: AsyncAck) -> None:
        """Write down what the delivery stands for. Raises StoreError: then Slack delivers it again."""
        if (body.get("event") or {}).get("subtype") in (*MEMBER_SUBTYPES, *CHANNEL_SUBTYPES):
            await self._rights.note_change(body)
        if body.get("type") == "view_submission":
            state = self._home.forms.open(body)
            if state is None:
                await ack(TOO_OLD)
                return
            body = {**body, "view": {**body["view"], "private_metadata": state}}
        inbound, answer = parse(body, self._client.host.commands), ""
        if inbound is not None and is_answerable(inbound.author):
            accepted = await self._intake.hand_in(body, inbound, self._accept)
            answer = self._answer_to(inbound, accepted)
        await ack(answer)

    def _answer_to(self, inbound: Inbound, accepted: Accepted) -> Any:
        """What Slack shows at once: a command that is answered in the channel. A thumb is thanked for, and a refusal is told."""
        if isinstance(inbound, ButtonPress) and inbound.action.startswith("thumbs") and accepted.outcome == "done":
            self._tasks.spawn(self._home.thank(inbound))
        if isinstance(inbound, Command) and accepted.outcome == "refused":
            return {"response_type": "ephemeral", "text": accepted.reason}
        if isinstance(inbound, ButtonPress) and accepted.outcome == "refused" and accepted.reason:
            self._tasks.spawn(self._home.followup_ephemeral(inbound, accepted.reason))
        commands = self._client.host.commands
        is_public = (
            isinstance(inbound, Command) and inbound.name in commands and not is_private_answer(inbound, commands)
        )
        return {"response_type": "in_channel"} if is_public else ""

    async def ask_about(self, body: Payload, ack: AsyncAck) -> None:
        """Open the modal that asks for a question; its trigger lives for three seconds."""
        await self._home.open_question(body)
        await ack()

    async def edit_image(self, body: Payload, ack: AsyncAck) -> None:
        """Open the modal that asks how a picture should change."""
        await self._home.open_image_edit(body)
        await ack()

    async def open_settings(self, body: Payload, ack: AsyncAck) -> None:
        """Open the modal with the settings."""
        await self._home.open_settings(body)
        await ack()

    async def change_setting(self, body: Payload, ack: AsyncAck) -> None:
        """Set what was chosen; a wrong value is said in the modal."""
        await ack(await self._home.change_setting(body) or "")

    # --- what people look at ---

    async def home_opened(self, body: Payload, event: Payload) -> None:
        """Somebody opened App Home, or the agent panel."""
        self._tasks.spawn(self._home.opened(scope_of(body), event))

    async def context_changed(self, body: Payload, event: Payload) -> None:
        """Somebody looks at another channel beside the agent panel."""
        self._look(body, str(event.get("user") or event.get("user_id") or ""), event.get("context") or {})

    async def thread_started(self, body: Payload, event: Payload) -> None:
        """A thread of the older assistant view began."""
        await self.thread_context_changed(body, event)
        self._tasks.spawn(self._home.thread_started(scope_of(body), event.get("assistant_thread") or {}))

    async def thread_context_changed(self, body: Payload, event: Payload) -> None:
        """Somebody looks at another channel beside the older assistant view."""
        thread = event.get("assistant_thread") or {}
        self._look(body, str(thread.get("user_id") or ""), thread.get("context") or {})

    def _look(self, body: Payload, user: str, context: Payload) -> None:
        self._intake.looking_at[workspace(body), user] = looked_at_channel(context)

    # --- what concerns the app ---

    async def uninstalled(self, body: Payload) -> None:
        """The app was removed from a workspace."""
        scope = scope_of(body)
        await self._install.uninstalled(scope.team, scope.enterprise)
        await self._rights.forget()

    async def tokens_revoked(self, body: Payload, event: Payload) -> None:
        """Tokens of a workspace were revoked."""
        scope = scope_of(body)
        await self._install.revoked(scope.team, scope.enterprise, event)
        await self._rights.forget()

    async def note_rate_limit(self, body: Payload, next: Callable[[], Awaitable[BoltResponse]]) -> BoltResponse:
        """Log that Slack holds events back, which it tells by a delivery of its own kind."""
        if body.get("type") != "app_rate_limited":
            return await next()
        log.warning("Slack sends fewer events of %s for a while: more than 30,000 came in an hour", workspace(body))
        return BoltResponse(status=200)


def _is_raised_by_bolt(error: Exception) -> bool:
    """Whether Bolt itself could not read the delivery, while it looked for who listens to it."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    module = str(frames[-1].f_globals.get("__name__", "")) if frames else ""
    return isinstance(error, NOT_SHAPED_SO) and module.startswith("slack_bolt.")
