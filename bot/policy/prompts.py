"""What the model is told: the operator's instructions first, and what a button or a message menu says in the person's place."""

from __future__ import annotations

from collections.abc import Mapping

from bot.policy.marks import escaped

ADDED = "The people here wish, as far as it agrees with what stands above:"


def instructions(operator: str, persona: str, wishes: str) -> str:
    """What the model is told to be: what the operator wrote comes first and whole, then the persona, then what people set.

    wishes: the setting `system_prompt` of the channel, the person or the conversation. It adds to the rest and replaces none of it.
    """
    added = f"{ADDED}\n{escaped(wishes.strip())}" if wishes.strip() else ""
    return "\n\n".join(filter(None, (operator, persona, added)))


ACTION_PROMPTS: Mapping[str, str] = {
    "continue": "Go on exactly where you stopped.",
    "vary": "Make a variation of that picture: the same subject, another composition.",
    "edit_image": "Change that picture: ",
    "describe": "Describe what is in this, in a few sentences; quote text that is in it.",
    "summarize": "Sum this up: the gist in a sentence, then the main points as a short list.",
    "translate": "Translate this into English; if it is English, into the language I usually write in. Give only the translation.",
}
"""By the button's action or the message's intent. A button's own words follow its prompt, a message's prompt stands before it."""
