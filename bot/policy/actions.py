"""Which buttons stand under which reply: one table for every platform."""

from __future__ import annotations

from bot.errors import BotError, ConfigError, UnavailableError, UsageError
from bot.types import Action, Capabilities, Image, Reply


def actions_for(reply: Reply | None, capabilities: Capabilities, *, is_private: bool = False) -> tuple[Action, ...]:
    """The buttons to show, in order.

    reply: None while it is still being given. is_private: it is shown to one person alone, where a later edit or a new answer
    could not reach.

    | the reply                                             | its buttons |
    |---|---|
    | is still being given                                  | stop |
    | hit the length limit                                  | continue |
    | holds pictures                                        | vary, edit_image |
    | was written or drawn by a model, stopped, or failed in a way that another try may mend | regenerate |
    | was written or drawn by a model, whole                | thumbs_up, thumbs_down |
    | is private, or the platform has no buttons            | none |
    """
    if is_private or not capabilities.has_buttons:
        return ()
    if reply is None:
        return ("stop",)
    actions: list[Action] = ["continue"] if reply.truncated else []
    if any(isinstance(part, Image) for part in reply.parts):
        actions += ["vary", "edit_image"]
    if _can_be_given_again(reply):
        actions.append("regenerate")
    if reply.model and not reply.error:
        actions += ["thumbs_up", "thumbs_down"]
    return tuple(actions)


def _can_be_given_again(reply: Reply) -> bool:
    """Whether asking the same again may give something better. A command's own words come out the same."""
    if reply.error:
        return reply.error not in WITHOUT_REMEDY
    return reply.stopped or bool(reply.model)


def _codes(*kinds: type[BotError]) -> frozenset[str]:
    """The codes of these errors and of all that are kinds of them."""
    return frozenset({kind.code for kind in kinds}.union(*(_codes(*kind.__subclasses__()) for kind in kinds)))


WITHOUT_REMEDY = _codes(UsageError, UnavailableError, ConfigError)
"""Errors that the same question meets again: it was asked in a way that cannot be done, or nothing here can do it."""
