"""The names of the events that Parley listens to at Slack."""

from __future__ import annotations

SPOKEN_EVENTS = (
    "agent_session_stopped",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "tokens_revoked",
)
ASSISTANT_EVENTS = ("assistant_thread_started", "assistant_thread_context_changed")
"""Of the older assistant view."""
CHANNEL_EVENTS = (
    "channel_archive",
    "channel_deleted",
    "channel_id_changed",
    "channel_left",
    "channel_rename",
    "channel_shared",
    "channel_unarchive",
    "channel_unshared",
    "group_archive",
    "group_deleted",
    "group_left",
    "group_rename",
    "group_unarchive",
)
"""A channel is not what it was, or we were taken out of it."""
MEMBER_EVENTS = ("member_joined_channel", "member_left_channel")
PERSON_EVENTS = ("team_join", "user_change")
RIGHTS_EVENTS = (*CHANNEL_EVENTS, *MEMBER_EVENTS, *PERSON_EVENTS)
"""By which Slack says that somebody's rights changed."""
MEMBER_SUBTYPES = ("channel_join", "channel_leave", "group_join", "group_leave")
"""Messages by which Slack says in a channel who came and went."""
CHANNEL_SUBTYPES = ("channel_convert_to_private", "channel_convert_to_public", "channel_archive", "group_archive")
"""Messages by which Slack says that a channel changed; that one became private is told in no other way."""
BOT_EVENTS = tuple(sorted((*SPOKEN_EVENTS, *RIGHTS_EVENTS)))
"""All that an app of ours subscribes to."""
