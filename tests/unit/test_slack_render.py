"""Markdown becomes Slack messages that fit, render alone, and ping nobody."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack import render
from adapters.slack.emulator.blocks import check_blocks
from adapters.slack.mentions import escape_mentions, stable
from adapters.slack.render import Buttons

LINES = st.sampled_from(
    [
        "",
        "plain words here",
        "```python",
        "```",
        "~~~",
        "| a | b |",
        "|---|--:|",
        "| 1 | **2** |",
        "# Head",
        "x" * 300,
        "- item",
        "<!channel> <@U1>",
    ]
)
MARKDOWN = st.lists(LINES, max_size=60).map("\n".join)


@given(MARKDOWN)
@settings(max_examples=100, deadline=None)
def test_what_is_rendered_passes_block_kit(text: str) -> None:
    """No answer breaks a limit of Block Kit, and none holds a control sequence."""
    made = render.rendered(
        text, (), ("a <!here> remark",), Buttons("1.2", ("regenerate", "continue", "thumbs_up", "thumbs_down"))
    )
    for piece in made.pieces:
        assert check_blocks(list(piece.blocks)) == []
        assert len(piece.text) <= 4_000
        assert not re.search(r"<[@!][A-Za-z0-9^]", str(piece.blocks) + piece.text)


@given(st.text(st.sampled_from("<>@!|^UABhere0 subteamchl"), max_size=60))
def test_no_mixture_of_signs_pings(text: str) -> None:
    """Nested and broken control sequences are calmed too; what was calm stays."""
    calm = escape_mentions(text, ())
    assert not re.search(r"<(@[A-Z0-9]+|![a-z]+|!subteam\^[A-Z0-9]+)([|^][^<>\n]*)?>", calm)
    assert escape_mentions(calm, ()) == calm


@given(st.text(st.sampled_from("<>@!|^UAhere*# \n0"), max_size=60))
def test_no_mixture_of_signs_pings_in_the_text_beside_the_blocks(text: str) -> None:
    """Taking Markdown's signs away makes no call of what was none."""
    assert not re.search(r"<[@!][A-Za-z0-9^]", render.fallback(text, ()))
    assert render.fallback("<@U0**VICTIM1>", ()) == "@\u2060U0VICTIM1"


def test_who_was_named_by_the_asker_may_be_pinged() -> None:
    """Allowed ids pass, all others do not."""
    text = "<@U1> <@U2> <!here> <!channel> <!subteam^S1|@devs>"
    assert escape_mentions(text, {"U1", "here", "S1"}) == "<@U1> @\u2060U2 <!here> @\u2060channel <!subteam^S1|@devs>"


def test_one_table_is_a_table_and_the_next_is_aligned_text() -> None:
    """Slack takes one table in a message."""
    table = "| a | b |\n|:-:|--:|\n| [x](https://e.org) | `c` |"
    blocks = render.markdown_blocks(f"{table}\n\nand\n\n{table}")
    assert [block["type"] for block in blocks] == ["table", "markdown"]
    assert blocks[0]["column_settings"][0]["align"] == "center" and "```" in blocks[1]["text"]
    assert check_blocks(blocks) == []


def test_a_table_too_large_is_aligned_text() -> None:
    """101 rows do not fit Slack's table."""
    table = "| a |\n|---|\n" + "\n".join(f"| {n} |" for n in range(120))
    assert [block["type"] for block in render.markdown_blocks(table)] == ["markdown"]


def test_who_may_be_pinged_is_named_in_a_table_too() -> None:
    """A mention in a cell is an element of its own; elsewhere Slack would show the bare id."""
    (table,) = render.rendered("| who |\n|---|\n| ask @Grace now |", {"U1": "Grace"}).pieces[0].blocks
    (section,) = table["rows"][1][0]["elements"]
    assert [each["type"] for each in section["elements"]] == ["text", "user", "text"]
    assert check_blocks([table]) == []


def test_no_cell_is_lost_where_a_row_is_longer_than_the_head() -> None:
    """The table is as wide as its longest row."""
    blocks = render.markdown_blocks("| a |  |\n|---|---|\n| 1 | 2 | 3 |\n| 4 |")
    assert [len(row) for row in blocks[0]["rows"]] == [3, 3, 3] and "3" in str(blocks[0]["rows"][1])
    assert check_blocks(blocks) == []


def test_half_a_control_sequence_is_held_back() -> None:
    """While streaming, what may still become a mention is not shown."""
    assert stable("say hi to @gra", {"U1": "Grace Hopper"}) == "say hi to "
    assert stable("say hi to @gro", {"U1": "Grace Hopper"}) == "say hi to @gro"
    assert stable("hello <!chan") == "hello " and stable("a < b\nc") == "a < b\nc"


def test_notices_and_buttons_alone_are_a_message() -> None:
    """An answer without words still carries what stands under it."""
    (piece,) = render.rendered("", (), ("Stopped.",), Buttons("", ("regenerate",))).pieces
    assert [block["type"] for block in piece.blocks] == ["context", "actions"] and piece.text


SMUGGLED = [
    "<@U1|a<b>",
    "<!channel|a\nb>",
    "<@U0**VICTIM1**>",
    "<@U**0VICTIM1**>",
    "<!**here**>",
    "<!he**re**>",
    "<\\!channel>",
    "<@\\U1>",
    "<`@U1`>",
    "<!subteam^S1|a<b>",
    "<!sub__team__^S1>",
    "| a |\n|---|\n| <@U1\\|x> |\n\n| b |\n|---|\n| <!here\\|x> |",
    "```\n<!everyone>\n```",
    "&lt;!channel&gt;",
]
LENIENT = re.compile(r"<(?:@[UW][A-Z0-9]+|!(?:here|channel|everyone|group)|!subteam\^[A-Z0-9]+)(?:[|^>\s]|$)")
"""A call as the most lenient reader might find one, once it has taken Markdown's signs away."""


def called(made: render.Rendered) -> list[str]:
    """The calls that such a reader finds anywhere in a message."""

    def texts(node: object) -> list[str]:
        if isinstance(node, dict):
            own = [f"<@{node['user_id']}>"] if node.get("type") == "user" else []
            return own + [one for value in node.values() for one in texts(value)]
        if isinstance(node, list | tuple):
            return [one for value in node for one in texts(value)]
        return [node] if isinstance(node, str) else []

    found = [text for piece in made.pieces for text in texts([*piece.blocks, piece.text, piece.markdown])]
    return sorted({one for text in found for one in LENIENT.findall(re.sub(r"[*_~`\\]", "", text))})


@given(st.lists(st.sampled_from(SMUGGLED) | st.text(st.sampled_from("<>@!|^U1*_`\\ \n"), max_size=12), max_size=6))
@settings(deadline=None)
def test_no_call_is_smuggled_past_the_renderer(parts: list[str]) -> None:
    """However it is wrapped, in text, blocks, tables, and beside them: whom the asker did not name is not called."""
    assert called(render.rendered(" ".join(parts), ())) == []
    assert LENIENT.search(re.sub(r"[*_~`\\]", "", escape_mentions("".join(parts), ()))) is None


def test_a_call_of_the_asker_s_stays_in_a_table_too() -> None:
    """What is looked through last is not taken from whom it may call."""
    made = render.rendered("say <@U1>\n\n| who |\n|---|\n| <@U1> and <@U2> |", {"U1": "Grace"})
    assert called(made) == ["<@U1>"]


def test_code_is_left_as_it_is() -> None:
    """Signs that look like the beginning of a call, and are none, are not touched: what is copied has to compile."""
    for code in (
        "List<@NotNull String>",
        "enable_if<!is_same<T>>",
        "<!DOCTYPE html>",
        "<!doctype html>",
        "<!-- here -->",
        "a<@b",
    ):
        assert escape_mentions(code, ()) == code


def test_the_text_of_a_notification_fits_whatever_signs_it_holds() -> None:
    """`<`, `>` and `&` take up to five characters there: no more than Slack takes come, and no half of one."""
    for text in ("<a>" * 2_000, "&" * 5_000, "x" * 2_898 + "<b>", "a<" * 1_450):
        short = render.fallback(text)
        assert len(short) <= render.FALLBACK
        assert short.endswith("…")
        assert short.count("&") == short.count(";")
    assert render.fallback("a < b") == "a &lt; b"
