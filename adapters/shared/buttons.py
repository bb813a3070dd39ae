"""What the buttons under a reply are called, and what is said to whoever pressed a thumb."""

from __future__ import annotations

from collections.abc import Mapping

from bot.types import Action

LABELS: Mapping[Action, str] = {
    "stop": "Stop",
    "continue": "Continue",
    "vary": "Vary",
    "edit_image": "Edit",
    "regenerate": "Regenerate",
    "thumbs_up": "Good answer",
    "thumbs_down": "Bad answer",
}
THANKS: Mapping[Action, str] = {
    "thumbs_up": "Thank you, I have noted that.",
    "thumbs_down": "Noted. Regenerate gives another answer.",
}
