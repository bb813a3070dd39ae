"""Markdown is read by its lines: blocks lose nothing, pieces fit and render alone, tables and long code find another form."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.shared import markdown

LINES = st.one_of(
    st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\r\n"), max_size=300),
    st.sampled_from(
        ["", "```python", "   ```", "```", "````", "~~~", "| a | b |", "|---|--:|", "| 1 | **2** |", "# Head", "- item"]
    ),
)
MARKDOWN = st.lists(LINES, max_size=60).map("\n".join)


@given(MARKDOWN)
def test_blocks_hold_every_line(text: str) -> None:
    """Joined again they are the text; all that may be added is the fence that closes it."""
    joined = "\n".join(block.text for block in markdown.blocks(text))
    assert joined == text or (markdown.open_fence(text) and joined == f"{text}{_closing(text)}")


def _closing(text: str) -> str:
    """The closing fence on a line of its own: as a block of code is closed, empty last line and all."""
    return f"\n{markdown.closing_fence(text).lstrip(chr(10))}"


@given(MARKDOWN, st.integers(100, 400))
@settings(max_examples=150, deadline=None)
def test_pieces_fit_render_alone_and_lose_no_word(text: str, limit: int) -> None:
    """Each piece fits, none is empty, fences are balanced, and all that was written is there in its order."""
    pieces = markdown.split_markdown(text, limit)
    assert all(piece.strip() and len(piece) <= limit for piece in pieces)
    assert not any(markdown.open_fence(piece) for piece in pieces)
    words = re.sub(r"[`~|:\-\s]", "", text)
    assert len(re.sub(r"[`~|:\-\s]", "", "".join(pieces))) >= len(words)


@given(st.lists(st.text(alphabet="abc xyz", min_size=1, max_size=300), min_size=1, max_size=200))
def test_words_keep_their_order(lines: list[str]) -> None:
    """The pieces of plain text join to the text."""
    text = "\n".join(lines)
    pieces = "".join(markdown.split_markdown(text, 200))
    assert "".join(pieces.split()) == "".join(text.split())


def test_code_that_is_cut_is_closed_and_opened_again() -> None:
    """Every part knows its language, and the last one is closed although the text never closed it."""
    pieces = markdown.split_markdown("before\n```python\n" + "\n".join(f"x{n} = {n}" for n in range(100)), 300)
    fenced = [piece for piece in pieces if "```" in piece]
    assert len(fenced) > 3 and all(piece.count("```python") == 1 and piece.endswith("```") for piece in fenced)


def test_a_table_that_is_cut_begins_with_its_head_again() -> None:
    """Each part is a table."""
    table = "| name | value |\n|---|---|\n" + "\n".join(f"| row {n} | {n} |" for n in range(40))
    pieces = markdown.split_markdown(table, 200)
    assert len(pieces) > 1 and all(piece.startswith("| name | value |\n|---|---|") for piece in pieces)


def test_a_fence_that_names_a_novel_does_not_fill_every_piece() -> None:
    """What a fence names is repeated only while it is short: else each piece would hold little else."""
    text = f"```{'x' * 300}\n" + "\n".join(f"line {n}" for n in range(100)) + "\n```"
    assert len(markdown.split_markdown(text, 400)) < 6


def test_too_small_a_limit_is_refused() -> None:
    """Below 100 characters nothing can be split well."""
    with pytest.raises(ValueError, match="at least 100"):
        markdown.split_markdown("x", 99)


@pytest.mark.parametrize("indent", ["", "   ", "        ", "\t"])
def test_a_fence_is_one_however_deep_it_is_indented(indent: str) -> None:
    """Code in a list stays code, also where its lines are indented less than its fences."""
    text = f"- item\n{indent}```py\nx = 1\n{indent}```\nafter"
    assert [block.kind for block in markdown.blocks(text)] == ["text", "code", "text"]
    assert markdown.blocks(text)[1].language == "py" and markdown.blocks(text)[1].code == "x = 1"


def test_only_a_fence_of_its_own_kind_closes_code() -> None:
    """Shorter fences and those of the other sign are part of the code; a longer one closes it."""
    (block,) = markdown.blocks("````\n```\n~~~~\n```` not\n`````")
    assert block.kind == "code" and block.code == "```\n~~~~\n```` not"


@pytest.mark.parametrize(
    ("text", "closing"),
    [("words", ""), ("```py\nx", "\n```"), ("```py\nx\n", "```"), ("~~~~\nx", "\n~~~~"), ("```\nx\n```", "")],
)
def test_an_open_fence_can_be_closed(text: str, closing: str) -> None:
    """What closes it is told, for messages that end while code still comes."""
    assert markdown.closing_fence(text) == closing
    assert not markdown.open_fence(text + closing)


def test_long_code_becomes_a_file_and_short_code_does_not() -> None:
    """The file has all of it under the language's extension; its beginning and a remark stay."""
    body = "\n".join(f"let x{n} = {n};" for n in range(40))
    text = f"here:\n```rust\n{body}\n```\nthere"
    short, files = markdown.code_to_files(text, 200, 8, lambda lines, name: f"({lines} lines: {name})")
    assert files == [markdown.CodeFile("code-1.rs", f"{body}\n")]
    assert short.startswith("here:\n```rust\nlet x0 =\n") and short.endswith("\n```\n(40 lines: code-1.rs)\nthere")
    assert markdown.code_to_files(text, 2_000, 8, lambda lines, name: name) == (text, [])


def test_cells_may_hold_escaped_bars() -> None:
    """A bar behind a backslash belongs to the cell."""
    assert markdown.table_cells(r"| a \| b | c |") == ["a | b", "c"]
    assert markdown.table_rows(["a | b", "-|-", "1|2|3", "|4|"]) == [["a", "b"], ["1", "2", "3"], ["4"]]


def test_a_narrow_table_stands_in_columns_and_a_wide_one_is_a_list() -> None:
    """No cell is lost, neither of rows that are longer than the head nor of shorter ones."""
    rows = [["name", "text"], ["tea", "green", "hot"], ["milk"]]
    assert markdown.table_as_text(rows, 40) == [
        "```", "name  text", "----  -----  ---", "tea   green  hot", "milk", "```",
    ]  # fmt: skip
    assert markdown.table_as_text(rows, 10) == ["- **tea** text: green; hot", "- **milk**"]


@pytest.mark.parametrize("rule", ["|---|---|", "---|---", ":--|--:", "| :-: | - |", "  |---|---|  "])
def test_a_table_is_known_by_the_rule_beneath_its_head(rule: str) -> None:
    """In every way in which it is written; a line of dashes alone, or of words, is none."""
    assert markdown.has_table(f"a | b\n{rule}\n1 | 2")
    assert not markdown.has_table("a | b\n---\n1 | 2") and not markdown.has_table("a | b\n|- x -|-|\n1 | 2")
