"""Owns the REST calls that answer interactions: the first callback, the original response, follow-ups."""

from __future__ import annotations

from collections.abc import Callable

from . import commands, components, drafts, interactions, messages, model, wire_messages
from .errors import ApiError, Form
from .interactions import Interaction
from .limits import items
from .messages import Draft
from .model import Json, Message
from .rest import Api, Call, Routes, body_of

routes = Routes()
WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"

ALLOWED = {
    interactions.COMMAND: (4, 5, 9),
    interactions.COMPONENT: (4, 5, 6, 7, 9),
    interactions.AUTOCOMPLETE: (8,),
    interactions.MODAL_SUBMIT: (4, 5),
}
"""Callback types that each kind of interaction takes; a modal from a component may also update (6, 7)."""


@routes.add("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
def callback(api: Api, call: Call) -> Json | None:
    """Create Interaction Response."""
    made = api.interactions.to_answer(call.number("interaction_id"), call.params["interaction_token"])
    body = body_of(call)
    kind = body.get("type")
    _check_kind(made, kind)
    resource = ANSWERS[int(kind or 0)](api, call, made, body.get("data") or {})
    api.interactions.note(made, int(kind or 0))
    if call.query.get("with_response", "").lower() in ("true", "1"):
        return {"interaction": _told(made, int(kind or 0))} | ({"resource": resource} if resource else {})
    return None


def _check_kind(made: Interaction, kind: object) -> None:
    allowed = ALLOWED[made.kind]
    if made.kind == interactions.MODAL_SUBMIT and made.parent and made.parent.kind == interactions.COMPONENT:
        allowed = (*allowed, 6, 7)
    if kind not in allowed:
        message = f"Value must be one of {{{', '.join(map(str, allowed))}}}."
        raise ApiError(50035, errors={"type": {"_errors": [{"code": "BASE_TYPE_CHOICES", "message": message}]}})


def _told(made: Interaction, kind: int) -> Json:
    body: Json = {"id": str(made.id), "type": made.kind, "channel_id": str(made.channel.id)}
    if made.guild_id:
        body["guild_id"] = str(made.guild_id)
    if made.original and kind in (4, 5, 6, 7):
        body |= {
            "response_message_id": str(made.original.id),
            "response_message_loading": bool(made.original.flags & model.LOADING),
            "response_message_ephemeral": bool(made.original.flags & model.EPHEMERAL),
        }
    return body


def _shown(api: Api, message: Message) -> Json:
    return wire_messages.message_json(api.world, message, sees_content=True)


def _place(api: Api, made: Interaction, *, first: bool = False) -> drafts.Place:
    """Voice is taken in the first response alone."""
    path = ("data",) if first else ()
    return drafts.Place(made.channel, api.interactions.upload_limit(made), takes_voice=first, path=path)


def _message(api: Api, call: Call, made: Interaction, data: Json) -> Json:
    """Type 4: answer with a message."""
    draft = drafts.read(api.world, call, _place(api, made, first=True), data)
    drafts.require_content(draft)
    made.original = api.interactions.post(made, draft, is_first=True)
    made.is_ephemeral = bool(made.original.flags & model.EPHEMERAL)
    return {"type": 4, "message": _shown(api, made.original)}


def _defer(api: Api, call: Call, made: Interaction, data: Json) -> None:
    """Type 5: show that work is going on; whether only one person sees the answer is settled here."""
    flags = int(data.get("flags") or 0)
    if flags & ~model.EPHEMERAL or any(data[key] for key in set(data) - {"flags", "tts"}):
        message = "A deferred response takes no flag but EPHEMERAL and no content."
        errors = {"data": {"flags": {"_errors": [{"code": "MESSAGE_FLAGS_INVALID", "message": message}]}}}
        raise ApiError(50035, errors=errors)
    made.is_ephemeral = bool(flags)
    made.original = api.interactions.post(made, Draft(flags=flags | model.LOADING), is_first=True)


def _defer_update(api: Api, call: Call, made: Interaction, data: Json) -> None:
    """Type 6: a click was heard; nothing shows."""
    made.original = made.message or (made.parent.message if made.parent else None)


def _update(api: Api, call: Call, made: Interaction, data: Json) -> Json:
    """Type 7: change the message whose button was clicked."""
    source = made.message or (made.parent.message if made.parent else None)
    if source is None or source.is_deleted:
        raise ApiError(10008)
    made.original = source
    draft, changed = drafts.read_edit(api.world, call, source, _place(api, made, first=True), data)
    messages.edit(api.world, source, draft, changed)
    return {"type": 7, "message": _shown(api, source)}


def _choices(api: Api, call: Call, made: Interaction, data: Json) -> None:
    """Type 8: suggestions for an option, at most 25."""
    form = Form()
    offered = items(form, data, "choices", ("data",), commands.CHOICES)
    commands.check_choices(form, offered, ("data", "choices"), _focused_kind(made.data.get("options") or []))
    form.finish()
    made.choices = offered


def _focused_kind(options: list[Json]) -> int:
    for option in options:
        if option.get("focused"):
            return int(option["type"])
        if option.get("options"):
            return _focused_kind(option["options"])
    return commands.STRING


def _modal(api: Api, call: Call, made: Interaction, data: Json) -> None:
    """Type 9: show a form."""
    form = Form()
    components.check_modal(form, data, ("data",))
    form.finish()
    made.modal = {**data, "components": components.numbered(data["components"])}


ANSWERS: dict[int, Callable[[Api, Call, Interaction, Json], Json | None]] = {
    4: _message,
    5: _defer,
    6: _defer_update,
    7: _update,
    8: _choices,
    9: _modal,
}


def _made(api: Api, call: Call) -> Interaction:
    return api.interactions.by_token(call.number("webhook_id"), call.params["webhook_token"])


def _found(api: Api, call: Call, made: Interaction) -> Message:
    """The answer that the path names: @original, or one of the interaction's own messages."""
    name = call.params["message_id"]
    mine = made.responses
    wanted = mine[0] if name == "@original" and made.original else next((m for m in mine if str(m.id) == name), None)
    if wanted is None or wanted.is_deleted:
        raise ApiError(10008)
    return wanted


@routes.add("POST", WEBHOOK)
def follow_up(api: Api, call: Call) -> Json:
    """Create Followup Message; after a defer the first one fills the waiting message, as it always did."""
    made = _made(api, call)
    if made.is_user_install_only and len(made.follow_ups) >= interactions.FOLLOW_UPS_OF_USER_INSTALL:
        raise ApiError(40094)
    waiting = made.original if made.original and made.original.flags & model.LOADING else None
    if waiting and not made.original_is_source():
        return _fill(api, call, made, waiting)
    draft = drafts.read(api.world, call, _place(api, made))
    drafts.require_content(draft)
    message = api.interactions.post(made, draft, is_first=False)
    made.follow_ups.append(message)
    api.interactions.tell(made)
    return _shown(api, message)


def _fill(api: Api, call: Call, made: Interaction, message: Message) -> Json:
    """Put the answer into the message that a defer left loading."""
    draft, changed = drafts.read_edit(api.world, call, message, _place(api, made))
    message.flags &= ~model.LOADING
    for file in draft.attachments:
        file.ephemeral = made.is_ephemeral
    messages.edit(api.world, message, draft, changed)
    api.interactions.tell(made)
    return _shown(api, message)


@routes.add("GET", WEBHOOK + "/messages/{message_id}")
def get(api: Api, call: Call) -> Json:
    """Get Original Interaction Response, or a follow-up."""
    return _shown(api, _found(api, call, _made(api, call)))


@routes.add("PATCH", WEBHOOK + "/messages/{message_id}")
def edit(api: Api, call: Call) -> Json:
    """Edit Original Interaction Response, or a follow-up."""
    made = _made(api, call)
    return _fill(api, call, made, _found(api, call, made))


@routes.add("DELETE", WEBHOOK + "/messages/{message_id}")
def delete(api: Api, call: Call) -> None:
    """Delete Original Interaction Response, or a follow-up."""
    made = _made(api, call)
    message = _found(api, call, made)
    messages.delete(api.world, [message], made.channel)
    api.interactions.tell(made)
