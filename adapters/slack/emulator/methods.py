"""Owns the list of files that register Web API methods; importing it fills the registry."""

from . import assistant, chat, conversations, files, oauth, people, streams, views
from .registry import METHODS

MODULES = (assistant, chat, conversations, files, oauth, people, streams, views)

__all__ = ["METHODS", "MODULES"]
