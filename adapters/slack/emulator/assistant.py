"""Owns what an assistant shows beside messages: status lines, titles, suggested prompts, and agent sessions."""

from .registry import Call, SlackError, method
from .workspace import Channel, Json, Session, Status

SESSION_STATUSES = ("active", "processing", "suspended", "closed")
TITLE_MAX = 200
LOADING_MESSAGES_MAX = 10
PROMPTS_MAX = 4


@method("assistant.threads.setStatus", "chat:write", "assistant:write", tier="status")
def set_status(call: Call) -> Json:
    """Show a status line under a thread; an empty one clears it. Source: Slack, assistant.threads.setStatus."""
    channel, thread_ts = _thread(call)
    text, loading = call.text("status", required=False), call.structure("loading_messages") or []
    if len(loading) > LOADING_MESSAGES_MAX:
        raise SlackError("invalid_arguments", messages=["[ERROR] no more than 10 items allowed: loading_messages"])
    world = call.desk.world
    if text:
        world.statuses[channel.id, thread_ts] = Status(channel.id, thread_ts, text, world.clock.now(), loading)
        world.changed("status", channel=channel.id, thread_ts=thread_ts)
    else:
        world.drop_status(channel.id, thread_ts)
    return {}


@method("assistant.threads.setTitle", "assistant:write", "chat:write", tier="t3")
def set_title(call: Call) -> Json:
    """Name a thread with the assistant. Source: Slack, assistant.threads.setTitle."""
    channel, thread_ts = _thread(call)
    call.desk.world.titles[channel.id, thread_ts] = call.text("title")
    call.desk.world.changed("title", channel=channel.id, thread_ts=thread_ts)
    return {}


@method("assistant.threads.setSuggestedPrompts", "assistant:write", "chat:write", tier="t3")
def set_suggested_prompts(call: Call) -> Json:
    """Pin prompts to a thread, or without thread_ts to the agent's direct message."""
    channel = call.channel("channel_id")
    if channel.kind != "im":
        raise SlackError("channel_type_not_supported")
    prompts = call.structure("prompts")
    if not isinstance(prompts, list) or not prompts or len(prompts) > PROMPTS_MAX:
        raise SlackError("invalid_arguments", messages=[f"[ERROR] between 1 and {PROMPTS_MAX} prompts allowed"])
    if not all(isinstance(each, dict) and each.get("title") and each.get("message") for each in prompts):
        raise SlackError("invalid_arguments", messages=["[ERROR] missing required field: title or message"])
    pinned: Json = {"title": call.text("title", required=False), "prompts": prompts}
    pinned["thread_ts"] = call.text("thread_ts", required=False) or None
    call.desk.world.prompts[channel.id] = pinned
    call.desk.world.changed("prompts", channel=channel.id)
    return {}


@method("agents.sessions.setStatus", "chat:write", tier="t3")
def sessions_set_status(call: Call) -> Json:
    """Set the state of an agent's session, made when there is none. Source: Slack, agents.sessions.setStatus."""
    channel, thread_ts = _thread(call)
    session = set_session_status(call, channel.id, thread_ts, call.text("status"))
    return {"status": session.status, "agent_status": session.status, "title": session.title}


@method("agents.sessions.rename", "chat:write", tier="t3")
def sessions_rename(call: Call) -> Json:
    """Rename an agent's session. Source: Slack, agents.sessions.rename."""
    channel, thread_ts = _thread(call)
    session = call.desk.world.sessions.get((channel.id, thread_ts))
    if session is None:
        raise SlackError("session_not_found")
    session.title = _title(call)
    call.desk.world.changed("session", channel=channel.id, thread_ts=thread_ts)
    return {"title": session.title}


def set_session_status(call: Call, channel_id: str, thread_ts: str, status: str) -> Session:
    """Move a thread's session to `status`. Raises SlackError when the app is no agent or the status unknown."""
    world = call.desk.world
    if not world.app.agent_view:
        raise SlackError("not_an_agent")
    if status not in SESSION_STATUSES:
        raise SlackError("invalid_arguments", messages=["[ERROR] must be a valid enum value: status"])
    if status == "processing" and "agent_session_stopped" not in world.app.bot_events:
        call.warn("missing_agent_session_stopped_event_subscription")
    key, user = (channel_id, thread_ts), call.text("initiator_user_id", required=False) or None
    session = world.sessions.get(key) or Session(channel_id, thread_ts, status, _title(call, required=False), user)
    session.status = status
    world.sessions[key] = session
    world.changed("session", channel=channel_id, thread_ts=thread_ts)
    return session


def _title(call: Call, *, required: bool = True) -> str:
    title = call.text("title", required=required)
    if len(title) > TITLE_MAX:
        raise SlackError("invalid_arguments", messages=[f"[ERROR] must be less than {TITLE_MAX + 1} characters: title"])
    return title


def _thread(call: Call) -> tuple[Channel, str]:
    channel, thread_ts = call.channel("channel_id"), call.text("thread_ts")
    if call.me not in channel.members:
        raise SlackError("not_in_channel")
    if thread_ts not in channel.messages:
        raise SlackError("thread_not_found")
    return channel, thread_ts
