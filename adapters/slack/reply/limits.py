"""How fast and how far a reply grows at Slack: times in seconds, sizes in characters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReplyLimits:
    """Slack's limits with room to spare, and what reads well."""

    start_s: float = 0.15
    """A reply that is whole sooner than this after its first words is posted at once."""
    first_pause_s: float = 0.1
    """Between two looks at what to show, while nothing is posted …"""
    stream_pace_s: float = 0.7
    """… and afterwards."""
    first_edit_s: float = 1.0
    """A reply that grows by edits is posted first this long after its first words."""
    edit_pace_s: float = 3.0
    """chat.update: "no more than once every 3 seconds". Source: Slack, chat.update."""
    rotate_at: int = 9_500
    rotate_s: float = 225.0
    """Begin a new stream at the next line's end beyond this size or age …"""
    rotate_now_at: int = 11_000
    rotate_now_s: float = 255.0
    """… and at once beyond this: streams die at 12,000 characters and at 5 minutes. Source: slackapi/python-slack-sdk#1859."""
    end_room: int = 500
    """What the last words may add beyond `rotate_now_at`."""
    status_again_s: float = 90.0
    """A status line vanishes after 2 minutes. Source: Slack, assistant.threads.setStatus."""
    refused_s: float = 600.0
    """What Slack refused somewhere is not tried there again for this long."""
    share_s: float = 5.0
    """Buttons under a picture wait at most this long for the picture's message."""
    max_responses: int = 4
    """A response_url takes five answers; the last says where the rest is. Source: Slack, Handling user interaction."""


DEFAULT_LIMITS = ReplyLimits()
