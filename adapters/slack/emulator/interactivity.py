"""Owns what people set off besides messages: slash commands, shortcuts, buttons, modals, and the answers to them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .blocks import check_blocks, normalised
from .composer import typed
from .delivery import Delivery, Post
from .payloads import message_json
from .registry import SlackError
from .timeline import Timeline
from .unfurls import show_previews
from .workspace import Channel, Json, Message, Team, User, View
from .world import World

TRIGGER_LIFE_S = 3.0
RESPONSE_URL_USES = 5
RESPONSE_URL_LIFE_S = 1800.0
"""Five uses within 30 minutes. Source: Slack, Handling user interaction, response_url."""


@dataclass
class Trigger:
    """The right to open one modal, soon."""

    user: str
    team_id: str
    given_at: float
    spent: bool = False
    view_id: str | None = None


@dataclass
class ResponseUrl:
    """An address to answer one interaction at."""

    channel: str
    user: str
    given_at: float
    original: Message | None = None
    bodies: list[Json] = field(default_factory=list)
    """What was answered so far."""


class Interactivity:
    """Makes the payloads of interactions and carries out what the app answers."""

    def __init__(self, world: World, post: Post, timeline: Timeline) -> None:
        self._world, self._post, self._timeline = world, post, timeline
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.fetched: list[str] = []
        """The addresses that previews of answers were fetched from."""

    # -- what people do

    async def slash(self, user: User, channel: Channel, command: str, text: str) -> Delivery:
        """Run a slash command; its immediate answer is shown. Raises LookupError when no such command is registered."""
        world = self._world
        if command not in world.app.slash_commands:
            raise LookupError(f"{command} is not a valid command of {world.app.name}")
        team, wide = world.teams[channel.team_id], self._is_wide(channel.team_id)
        url = self._response_url(channel, user)
        payload: Json = {
            "token": world.app.verification_token,
            "team_id": team.id,
            "team_domain": team.domain,
            "channel_id": channel.id,
            "channel_name": {"im": "directmessage", "mpim": channel.name}.get(channel.kind, channel.name),
            "user_id": user.id,
            "user_name": user.name,
            "command": command,
            "text": typed(world, text, labels=True) if command in world.app.escaped_commands else text,
            "api_app_id": world.app.app_id,
            "is_enterprise_install": str(wide).lower(),
            "response_url": url,
            "trigger_id": self._trigger(user),
        }
        if team.enterprise_id:
            payload |= {"enterprise_id": team.enterprise_id, "enterprise_name": world.enterprise_name}
        delivery = await self._post.send_and_wait("slash_commands", payload)
        self._show_slash_answer(delivery, url, command)
        return delivery

    def _show_slash_answer(self, delivery: Delivery, url: str, command: str) -> None:
        entry = self.response_urls[url.rpartition("/")[2]]
        if not delivery.acknowledged:
            self._private(entry, {"text": f'{command} failed with the error "operation_timeout"'}, by_slack=True)
        elif delivery.answer.get("text") or delivery.answer.get("blocks"):
            self._answer(entry, delivery.answer)

    async def shortcut(self, user: User, callback_id: str, message: Message | None = None) -> Delivery:
        """Use a shortcut on a message, or a global one. Raises LookupError when the app has none such."""
        kind = "message" if message else "global"
        if not any((each.callback_id, each.kind) == (callback_id, kind) for each in self._world.app.shortcuts):
            raise LookupError(f"no {kind} shortcut {callback_id}")
        payload = self._head("message_action" if message else "shortcut", user)
        del payload["api_app_id"]  # other interactions name the app, shortcuts do not
        payload |= {"callback_id": callback_id, "action_ts": self._world.ids.ts()}
        if message:
            channel = self._world.channels[message.channel]
            payload |= {"channel": {"id": channel.id, "name": _channel_name(channel)}, "message_ts": message.ts}
            payload |= {"message": message_json(self._world, message)}
            payload |= {"response_url": self._response_url(channel, user, None)}
        return await self._post.send_and_wait("interactive", payload)

    async def act(self, user: User, message: Message, action_id: str, value: Any = None) -> Delivery:
        """Click or choose in a message. Raises LookupError when it holds no such element."""
        channel = self._world.channels[message.channel]
        action = self._action(message.blocks, action_id, value)
        container: Json = {"type": "message", "message_ts": message.ts, "channel_id": channel.id}
        container["is_ephemeral"] = message.ephemeral_to is not None
        if message.thread_ts:
            container["thread_ts"] = message.thread_ts
        payload = self._head("block_actions", user) | {"container": container, "actions": [action]}
        payload |= {"channel": {"id": channel.id, "name": _channel_name(channel)}, "state": {"values": {}}}
        if message.ephemeral_to is None:
            payload["message"] = message_json(self._world, message)
        payload["response_url"] = self._response_url(channel, user, message)
        return await self._post.send_and_wait("interactive", payload)

    async def act_in_view(self, user: User, view: View, action_id: str, value: Any = None) -> Delivery:
        """Click or choose in a modal or Home tab."""
        action = self._action(view.payload["blocks"], action_id, value)
        payload = self._head("block_actions", user, view) | {"actions": [action]}
        payload |= {"container": {"type": "view", "view_id": view.id}, "view": view_json(self._world, view)}
        return await self._post.send_and_wait("interactive", payload)

    async def suggest(self, user: User, view: View, action_id: str, typed: str) -> list[Json]:
        """What an external select offers for the typed letters."""
        block, element = find_element(view.payload["blocks"], action_id)
        payload = self._head("block_suggestion", user, view) | {"action_id": action_id, "value": typed}
        payload |= {"block_id": block["block_id"], "container": {"type": "view", "view_id": view.id}}
        payload |= {"view": view_json(self._world, view), "min_query_length": element.get("min_query_length", 3)}
        delivery = await self._post.send_and_wait("interactive", payload)
        return list(delivery.answer.get("options", []))

    async def submit(self, user: User, view: View, values: Json) -> Delivery:
        """Send a modal's values, by block or action id, and do what the app answers."""
        view.errors = {}
        view.payload["state"] = {"values": state_values(view.payload["blocks"], values)}
        payload = self._head("view_submission", user, view) | {
            "view": view_json(self._world, view),
            "response_urls": [],
        }
        delivery = await self._post.send_and_wait("interactive", payload)
        if delivery.acknowledged:
            self._after_submit(view, delivery.answer)
        self._world.changed("view", id=view.id)
        return delivery

    def _after_submit(self, view: View, answer: Json) -> None:
        action = answer.get("response_action")
        if action == "errors":
            view.errors = answer["errors"]
        elif action == "update":
            self.replace_view(view, answer["view"])
        elif action == "push":
            self.open_view(view.user, view.team_id, answer["view"], parent=view)
        else:
            self._close_views(view, everything=action == "clear")

    def _close_views(self, view: View, *, everything: bool) -> None:
        for each in self._world.views.values():
            if each is view or (everything and each.root_id == view.root_id):
                each.is_open = False

    async def dismiss(self, user: User, view: View) -> Delivery | None:
        """Close a modal; the app hears of it when it asked to."""
        view.is_open = False
        self._world.changed("view", id=view.id)
        if not view.payload.get("notify_on_close"):
            return None
        payload = self._head("view_closed", user) | {"view": view_json(self._world, view), "is_cleared": False}
        return await self._post.send_and_wait("interactive", payload)

    # -- what the app may do in return

    def use_trigger(self, trigger_id: str) -> Trigger:
        """The trigger behind an id, used up. Raises `invalid_trigger_id`, `expired_`, `exchanged_`."""
        trigger = self.triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if self._world.clock.now() - trigger.given_at > TRIGGER_LIFE_S:
            raise SlackError("expired_trigger_id")
        if trigger.spent:
            raise SlackError("exchanged_trigger_id")
        trigger.spent = True
        return trigger

    def open_view(self, user: str, team_id: str, payload: Json, parent: View | None = None) -> View:
        """Show a modal over what is open."""
        view_id = self._world.ids.new("V")
        root = parent.root_id if parent else view_id
        payload = payload | {"blocks": self._normal(payload["blocks"])}
        view = View(view_id, team_id, user, payload, self._hash(), root, parent.id if parent else None)
        self._world.views[view.id] = view
        self._world.changed("view", id=view.id)
        return view

    def replace_view(self, view: View, payload: Json) -> None:
        """Change what a view shows."""
        view.payload, view.hash = payload | {"blocks": self._normal(payload["blocks"])}, self._hash()
        self._world.changed("view", id=view.id)

    async def respond(self, request: web.Request) -> web.Response:
        """Answer a POST to a response_url."""
        entry = self.response_urls.get(request.match_info["secret"])
        if entry is None:
            return web.Response(status=404, text="no_service")
        if self._world.clock.now() - entry.given_at > RESPONSE_URL_LIFE_S:
            return web.Response(status=404, text="expired_url")
        if len(entry.bodies) >= RESPONSE_URL_USES:
            return web.Response(status=404, text="used_url")
        body = await request.json()
        problem = _body_problem(body)
        if problem:
            return web.Response(status=400, text=problem)
        entry.bodies.append(body)
        self._answer(entry, body)
        return web.Response(text="ok")

    def _answer(self, entry: ResponseUrl, body: Json) -> None:
        original = entry.original
        if body.get("delete_original") and original:
            self._timeline.remove(original)
        elif body.get("replace_original") and original:
            blocks = self._normal(body.get("blocks") or [])
            self._timeline.change(original, None, text=body.get("text", ""), markdown=None, blocks=blocks)
        elif body.get("response_type", "ephemeral") == "in_channel":
            self._timeline.add(self._made(entry, body))
        else:
            self._private(entry, body)

    def _private(self, entry: ResponseUrl, body: Json, *, by_slack: bool = False) -> None:
        message = self._made(entry, body)
        message.ephemeral_to = entry.user
        if by_slack:
            message.user, message.bot_id, message.app_id = "USLACKBOT", None, None
        self._timeline.hide(message)

    def _made(self, entry: ResponseUrl, body: Json) -> Message:
        world = self._world
        team = world.teams[world.channels[entry.channel].team_id]
        bot = world.bot_user(team.id)
        message = Message(world.ids.ts(), entry.channel, bot.id if bot else "", body.get("text", ""))
        message.bot_id, message.app_id = team.bot_id, world.app.app_id
        message.blocks, message.attachments = self._normal(body.get("blocks") or []), body.get("attachments") or []
        in_thread = entry.original.thread_ts if entry.original else None
        message.thread_ts = body.get("thread_ts") or in_thread
        if not (body.get("unfurl_links") is False and body.get("unfurl_media") is False):
            show_previews(self.fetched, message)
        return message

    # -- parts of payloads

    def _head(self, kind: str, user: User, view: View | None = None) -> Json:
        world = self._world
        team = world.teams[user.team_id]
        trigger = self._trigger(user)
        self.triggers[trigger].view_id = view.id if view else None
        enterprise = {"id": team.enterprise_id, "name": world.enterprise_name} if team.enterprise_id else None
        return {
            "type": kind,
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": user.team_id},
            "api_app_id": world.app.app_id,
            "token": world.app.verification_token,
            "trigger_id": trigger,
            "team": _team_head(team),
            "enterprise": enterprise,
            "is_enterprise_install": self._is_wide(team.id),
        }

    def _action(self, blocks: list[Json], action_id: str, value: Any) -> Json:
        block, element = find_element(blocks, action_id)
        head = {"type": element["type"], "action_id": element["action_id"], "block_id": block["block_id"]}
        return head | chosen(element, value) | {"action_ts": self._world.ids.ts()}

    def _trigger(self, user: User) -> str:
        trigger_id = f"{int(self._world.clock.now())}.{self._world.ids.secret('', 13)}.{self._world.ids.secret('', 32)}"
        self.triggers[trigger_id.lower()] = Trigger(user.id, user.team_id, self._world.clock.now())
        return trigger_id.lower()

    def _response_url(self, channel: Channel, user: User, original: Message | None = None) -> str:
        secret = self._world.ids.secret("hook", 24)
        self.response_urls[secret] = ResponseUrl(channel.id, user.id, self._world.clock.now(), original)
        return f"{self._world.base_url}/hooks/{channel.team_id}/{secret}"

    def _is_wide(self, team_id: str) -> bool:
        installation = self._world.installation_for(team_id)
        return installation is not None and installation.team_id is None

    def _normal(self, blocks: list[Json]) -> list[Json]:
        return normalised(blocks, lambda: self._world.ids.secret("", 5))

    def _hash(self) -> str:
        return f"{int(self._world.clock.now())}.{self._world.ids.secret('', 8)}"


def view_json(world: World, view: View) -> Json:
    """A view as answers and payloads show it."""
    team = world.teams[view.team_id]
    body = {
        "id": view.id,
        "team_id": view.team_id,
        "private_metadata": "",
        "callback_id": "",
        "state": {"values": {}},
        "hash": view.hash,
        "title": {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": False,
        "notify_on_close": False,
        "close": None,
        "submit": None,
        "previous_view_id": view.previous_id,
        "root_view_id": view.root_id,
        "app_id": world.app.app_id,
        "external_id": "",
        "app_installed_team_id": view.team_id,
        "bot_id": team.bot_id,
    }
    return body | view.payload


def find_element(blocks: list[Json], action_id: str) -> tuple[Json, Json]:
    """The block and the element with this action id. Raises LookupError."""
    for block, element in interactive(blocks):
        if element.get("action_id") == action_id:
            return block, element
    raise LookupError(f"no element {action_id}")


def interactive(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every element that can be acted on, with its block."""
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory"), block.get("element")]:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def chosen(element: Json, value: Any) -> Json:
    """What an action or a modal's state says of an element after someone chose `value`."""
    kind = element["type"]
    if kind == "button":
        held = {"text": element["text"]} | ({"value": element["value"]} if "value" in element else {})
        return held | ({"style": element["style"]} if "style" in element else {})
    if kind == "feedback_buttons":
        sides = [element["positive_button"], element["negative_button"]]
        picked = next((side for side in sides if side["value"] == value), sides[0])
        return {"text": picked["text"], "value": picked["value"]}
    if kind in ("static_select", "radio_buttons", "overflow", "external_select"):
        return {"selected_option": option(element, value) if value is not None else element.get("initial_option")}
    if kind in ("checkboxes", "multi_static_select"):
        return {"selected_options": [option(element, each) for each in value or []]}
    names = {"users_select": "selected_user", "conversations_select": "selected_conversation"}
    names |= {"channels_select": "selected_channel", "datepicker": "selected_date", "timepicker": "selected_time"}
    initial = element.get("initial_value") or element.get(names.get(kind, "").replace("selected", "initial"))
    return {names.get(kind, "value"): initial if value is None else value}


def option(element: Json, value: str) -> Json:
    """The option with this value. Raises LookupError."""
    groups = element.get("option_groups") or [{"options": element.get("options", [])}]
    for each in [each for group in groups for each in group["options"]]:
        if each["value"] == value:
            return dict(each)
    if element["type"] == "external_select":
        return {"text": {"type": "plain_text", "text": value}, "value": value}
    raise LookupError(f"no option {value}")


def state_values(blocks: list[Json], values: Json) -> Json:
    """A modal's `state.values`: of each element what was given by block or action id, else its initial value."""
    state: Json = {}
    for block, element in interactive(blocks):
        if element["type"] in ("button", "image", "overflow"):
            continue
        given = values.get(element["action_id"], values.get(block["block_id"]))
        entry = {"type": element["type"]} | chosen(element, given)
        state.setdefault(block["block_id"], {})[element["action_id"]] = entry
    return state


def _team_head(team: Team) -> Json:
    more = {"enterprise_id": team.enterprise_id} if team.enterprise_id else {}
    return {"id": team.id, "domain": team.domain} | more


def _channel_name(channel: Channel) -> str:
    return {"im": "directmessage"}.get(channel.kind, channel.name)


def _body_problem(body: Json) -> str:
    if body.get("delete_original"):
        return ""
    if body.get("blocks") and check_blocks(body["blocks"]):
        return "invalid_blocks"
    return "" if body.get("text") or body.get("blocks") or body.get("attachments") else "no_text"
