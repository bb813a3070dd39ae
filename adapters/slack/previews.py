"""Link previews, which Slack is never to fetch: that would tell an address's server what a model was led to write into it. Pure.

Slack looks for addresses when a message is posted, and takes `unfurl_links` and `unfurl_media` there; an edit brings no preview.
A stream takes neither (Slack removed both: node-slack-sdk, pull request 2389), so addresses stand in it as plain text, and become
links by the edit that ends it.
"""

from __future__ import annotations

import re

from adapters.slack.mentions import JOINER

NO_PREVIEWS = {"unfurl_links": False, "unfurl_media": False}
"""For every call that posts or changes words, and for a response_url."""
_LINKING = re.compile(r"(?<=:/)(?=/)|(?<=\])(?=\()|(?<=www)(?=\.)", re.IGNORECASE)
"""Within what makes an address or a link; before its last sign, so that what was shown of a growing text stays as it is."""


def unlinked(text: str) -> str:
    """The text with nothing in it that Slack takes for a link; it looks the same."""
    return _LINKING.sub(JOINER, text)


def has_links(text: str) -> bool:
    """Whether Slack would find a link in it."""
    return _LINKING.search(text) is not None
