"""While an answer is streamed its addresses are no links: a stream cannot be told to fetch no previews."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.emulator.unfurls import addresses
from adapters.slack.previews import has_links, unlinked

SIGNS = st.text(st.sampled_from("htps:/w.]([)<>|e `"), max_size=40)


@given(
    st.lists(
        st.sampled_from(["https://evil.example/c?d=S", "HTTP://e.org", "[x](http://e.org)", "www.e.org", " ", "a"])
    ).map("".join)
    | SIGNS
)
def test_no_address_is_a_link_in_a_stream(text: str) -> None:
    """Slack finds none, and all other signs are there in their order."""
    plain = unlinked(text)
    assert addresses(plain) == [] and "](" not in plain and "://" not in plain
    assert plain.replace("\u2060", "") == text and unlinked(plain) == plain
    assert has_links(text) == (plain != text) and (has_links(text) or not addresses(text))


@given(SIGNS, st.integers(0, 40))
def test_what_was_shown_of_a_growing_text_stays(text: str, cut: int) -> None:
    """A stream is only added to."""
    assert unlinked(text).startswith(unlinked(text[:cut]))
