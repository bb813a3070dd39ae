"""What a button or a message menu says to the model in the person's place."""

from __future__ import annotations

from collections.abc import Mapping

ACTION_PROMPTS: Mapping[str, str] = {
    "continue": "Go on exactly where you stopped.",
    "vary": "Make a variation of that picture: the same subject, another composition.",
    "edit_image": "Change that picture: ",
    "describe": "Describe what is in this, in a few sentences; quote text that is in it.",
    "summarize": "Sum this up: the gist in a sentence, then the main points as a short list.",
    "translate": "Translate this into English; if it is English, into the language I usually write in. Give only the translation.",
}
"""By the button's action or the message's intent. A button's own words follow its prompt, a message's prompt stands before it."""
