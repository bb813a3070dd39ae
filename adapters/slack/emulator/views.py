"""Owns the `views.*` methods and the limits of modals and Home tabs."""

from typing import Any

from .blocks import check_blocks
from .interactivity import view_json
from .registry import Call, SlackError, method
from .workspace import Json, View

TITLE_MAX = 24
METADATA_MAX = 3000
STACK_MAX = 3
"""Views in one stack. Source: Slack, Modals."""


@method("views.open", tier="t4")
def open_view(call: Call) -> Json:
    """Open a modal with a fresh trigger. Source: Slack, views.open."""
    payload = read_view(call, "modal")
    trigger = call.desk.interactivity.use_trigger(call.text("trigger_id"))
    return _shown(call, call.desk.interactivity.open_view(trigger.user, trigger.team_id, payload))


@method("views.push", tier="t4")
def push_view(call: Call) -> Json:
    """Lay a modal over the one that the trigger came from. Source: Slack, views.push."""
    payload = read_view(call, "modal")
    trigger = call.desk.interactivity.use_trigger(call.text("trigger_id"))
    parent = call.desk.world.views.get(trigger.view_id or "")
    if parent is None:
        raise SlackError("not_found")
    depth = sum(view.root_id == parent.root_id and view.is_open for view in call.desk.world.views.values())
    if depth >= STACK_MAX:
        raise SlackError("push_limit_reached")
    return _shown(call, call.desk.interactivity.open_view(trigger.user, trigger.team_id, payload, parent))


@method("views.update", tier="t4")
def update_view(call: Call) -> Json:
    """Change an open view. Source: Slack, views.update."""
    payload, view = read_view(call, "modal"), _found(call)
    _check_hash(call, view)
    call.desk.interactivity.replace_view(view, payload)
    return _shown(call, view)


@method("views.publish", tier="t4")
def publish_view(call: Call) -> Json:
    """Set someone's Home tab. Source: Slack, views.publish."""
    world, user, payload = call.desk.world, call.text("user_id"), read_view(call, "home")
    if not world.app.home_tab:
        raise SlackError("not_enabled")
    if user not in world.users:
        raise SlackError("user_not_found")
    key = (call.team.id, user)
    if key in world.homes:
        _check_hash(call, world.homes[key])
        call.desk.interactivity.replace_view(world.homes[key], payload)
    else:
        world.homes[key] = call.desk.interactivity.open_view(user, call.team.id, payload)
    return _shown(call, world.homes[key])


def _shown(call: Call, view: View) -> Json:
    return {"view": view_json(call.desk.world, view)}


def _found(call: Call) -> View:
    views, wanted = call.desk.world.views, call.text("view_id", required=False)
    external = call.text("external_id", required=False)
    if wanted in views:
        return views[wanted]
    for view in views.values():
        if external and view.payload.get("external_id") == external:
            return view
    raise SlackError("not_found")


def _check_hash(call: Call, view: View) -> None:
    expected = call.text("hash", required=False)
    if expected and expected != view.hash:
        raise SlackError("hash_conflict")


def read_view(call: Call, kind: str) -> Json:
    """The `view` of a call, checked. Raises `invalid_arguments` with the reasons, `view_too_large`."""
    view: Any = call.structure("view")
    if not isinstance(view, dict) or view.get("type") != kind:
        raise SlackError(
            "invalid_arguments", messages=[f"[ERROR] must be a valid enum value: {kind} [json-pointer:/view/type]"]
        )
    problems = check_blocks(view.get("blocks"), kind) + _head_problems(view, kind)
    if problems:
        raise SlackError("invalid_arguments", messages=[each.replace(":/blocks", ":/view/blocks") for each in problems])
    if len(str(view)) > 250_000:
        raise SlackError("view_too_large")
    return view


def _head_problems(view: Json, kind: str) -> list[str]:
    problems = [
        f"[ERROR] must be less than {limit + 1} characters [json-pointer:/view/{name}]"
        for name, limit in (("callback_id", 255), ("private_metadata", METADATA_MAX), ("external_id", 255))
        if len(view.get(name) or "") > limit
    ]
    if kind == "home":
        return problems
    for name in ("title", "submit", "close"):
        problems += _label_problems(view, name)
    has_input = any(block.get("type") == "input" for block in view.get("blocks") or [])
    if has_input and not view.get("submit"):
        problems.append("[ERROR] missing required field: submit [json-pointer:/view]")
    return problems


def _label_problems(view: Json, name: str) -> list[str]:
    label = view.get(name)
    if label is None:
        return [] if name != "title" else ["[ERROR] missing required field: title [json-pointer:/view]"]
    if label.get("type") != "plain_text" or not label.get("text"):
        return [f"[ERROR] failed to match all allowed schemas [json-pointer:/view/{name}]"]
    if len(label["text"]) > TITLE_MAX:
        return [f"[ERROR] must be less than {TITLE_MAX + 1} characters [json-pointer:/view/{name}/text]"]
    return []
