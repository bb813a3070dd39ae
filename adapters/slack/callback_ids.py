"""The ids by which Slack names our buttons, shortcuts and modals when somebody uses them."""

from __future__ import annotations

from collections.abc import Mapping

from bot.types import Intent

PREFIX = "parley"
"""Of all of them, and the name of the command that stands for all commands."""
ASK = f"{PREFIX}:ask"
"""The shortcut that asks for a question first, and its modal."""
EDIT_IMAGE = f"{PREFIX}:edit_image"
"""The button under a picture, and its modal."""
SETTINGS = f"{PREFIX}:settings"
"""The button in App Home, and its modal."""
FEEDBACK = f"{PREFIX}:feedback"
"""The thumbs: one element with two values."""
SUMMARIZE, TRANSCRIBE, DESCRIBE, TRANSLATE = (
    f"{PREFIX}:{name}" for name in ("summarize", "transcribe", "describe", "translate")
)
SHORTCUTS: Mapping[str, Intent] = {
    SUMMARIZE: "summarize",
    TRANSCRIBE: "transcribe",
    DESCRIBE: "describe",
    TRANSLATE: "translate",
}
"""Message shortcuts that need no further words, and what each asks for."""
