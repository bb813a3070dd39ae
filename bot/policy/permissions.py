"""Who may do what: press a button, edit, delete, forget, and set.

Each rule takes what is known of the person and of what they act on, and gives a claim. Who manages a place is the platform's to
say: adapters fill `Author.is_manager`.
"""

from __future__ import annotations

from typing import TypeGuard

from bot.types import Address, Author, ButtonPress, Command, Deletion, Edit, Inbound, InboundMessage, Scope

FREE_ACTIONS = frozenset({"thumbs_up", "thumbs_down"})
"""Whoever sees an answer may judge it: that costs nothing and changes nothing for the others."""
PRESS_REFUSED = "Only the person who asked can do that with this answer. Ask me yourself, and the answer is yours."


def may_press(press: ButtonPress, asker_id: str) -> bool:
    """Whether this person may press that button under an answer: the asker and managers any, others only what is free."""
    return press.action in FREE_ACTIONS or press.author.id == asker_id or press.author.is_manager


def may_change(change: Edit | Deletion, author_id: str) -> bool:
    """Whether this edit or deletion of a message by `author_id` holds.

    An edit is its author's alone, for nobody else may put words into a person's mouth; a deletion is a manager's too. Where the
    platform does not tell who acted, it has looked at their rights itself.
    """
    if change.author.id in ("", author_id):
        return True
    return change.author.is_manager and isinstance(change, Deletion)


def is_editable(inbound: Inbound) -> TypeGuard[InboundMessage]:
    """Whether its author may word it anew: a message of their own words can be; a command, or what a button stood for, cannot."""
    return isinstance(inbound, InboundMessage) and not inbound.about_turn_id


def forgettable_author(inbound: InboundMessage | Command) -> str | None:
    """Whose messages this `/forget` deletes: the person's own, or everybody's (None) where the person is alone with Parley."""
    return None if inbound.is_direct else inbound.author.id


def is_shared_choice(scope: Scope, *, is_direct: bool) -> bool:
    """Whether a setting for that scope holds for others too, who are told. A person's own choices and a direct place's do not."""
    return not is_direct and scope != "person"


def may_set(scope: Scope, author: Author, address: Address, *, is_direct: bool) -> bool:
    """Whether this person may choose a setting for that scope.

    What holds for a whole channel, its own flow included, is for those who manage it; a thread's is for whoever talks in it.
    """
    is_of_channel = scope == "channel" or not address.thread
    return author.is_manager or not (is_shared_choice(scope, is_direct=is_direct) and is_of_channel)


def usual_scope(author: Author, address: Address, *, is_direct: bool) -> Scope:
    """The scope of a choice that names none: the conversation, or the person where they may not choose for the conversation."""
    return "conversation" if may_set("conversation", author, address, is_direct=is_direct) else "person"
