"""Who may do what: press a button, edit, delete, forget, and set.

Each rule takes what is known of the person and of what they act on, and gives a claim. Where a platform lets somebody manage a
place, the caller says so by `is_manager`; so far no platform tells.
"""

from __future__ import annotations

from typing import TypeGuard

from bot.types import ButtonPress, Command, Deletion, Edit, Inbound, InboundMessage, Scope

FREE_ACTIONS = frozenset({"thumbs_up", "thumbs_down"})
"""Whoever sees an answer may judge it: that costs nothing and changes nothing for the others."""
PRESS_REFUSED = "Only the person who asked can do that with this answer. Ask me yourself, and the answer is yours."


def may_press(press: ButtonPress, asker_id: str, *, is_manager: bool = False) -> bool:
    """Whether this person may press that button under an answer: the asker any, others only what is free."""
    return press.action in FREE_ACTIONS or press.author.id == asker_id or is_manager


def may_change(change: Edit | Deletion, author_id: str, *, is_manager: bool = False) -> bool:
    """Whether this edit or deletion of a message by `author_id` holds.

    An edit is its author's alone, for nobody else may put words into a person's mouth; a deletion is a manager's too. Where the
    platform does not tell who acted, it has looked at their rights itself.
    """
    if change.author.id in ("", author_id):
        return True
    return is_manager and isinstance(change, Deletion)


def is_editable(inbound: Inbound) -> TypeGuard[InboundMessage]:
    """Whether its author may word it anew: a message of their own words can be; a command, or what a button stood for, cannot."""
    return isinstance(inbound, InboundMessage) and not inbound.about_turn_id


def forgettable_author(inbound: InboundMessage | Command) -> str | None:
    """Whose messages this `/forget` deletes: the person's own, or everybody's (None) where the person is alone with Parley."""
    return None if inbound.is_direct else inbound.author.id


def may_set(scope: Scope, *, is_manager: bool = False) -> bool:
    """Whether this person may choose a setting for that scope. So far everybody may, a channel's settings included."""
    return True
