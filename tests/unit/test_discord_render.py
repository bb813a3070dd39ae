"""How answers look at Discord, without a server."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.post import nonce_of
from adapters.discord.render import LIMIT, Buttons, button_rows, rendered, shown, table_as_text
from adapters.discord.speech import as_voice
from bot.media import audio
from tests.making import voice_note

MARKDOWN = st.lists(
    st.one_of(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=400),
        st.sampled_from(["```python", "```", "~~~", "| a | b |", "|---|---|", "# Title", "#### Deep", "- item", ""]),
    ),
    max_size=40,
).map("\n".join)


@given(MARKDOWN)
def test_messages_fit_with_their_remarks(text: str) -> None:
    """No message is longer than Discord takes."""
    assert all(len(piece) <= LIMIT for piece in rendered(text, ("a remark", "x" * 3_000)).pieces)


def test_tables_stand_in_columns_or_as_a_list() -> None:
    """Discord has none; a wide one is a list."""
    assert shown("| a | b |\n|---|---|\n| 1 | **22** |") == "```\na  b\n-  --\n1  22\n```"
    wide = table_as_text(["| name | text |", "|---|---|", f"| tea | {'x' * 120} |"])
    assert wide == [f"- **tea** text: {'x' * 120}"]


def test_deep_headings_are_bold() -> None:
    """Discord knows three levels; code stays as it is."""
    assert shown("#### Deep\n```\n#### code\n```") == "**Deep**\n```\n#### code\n```"


def test_long_code_is_a_file_and_short_code_is_not() -> None:
    """The file has all of it under the language's ending."""
    body = "\n".join(f"let x{n} = {n};" for n in range(400))
    made = rendered(f"here:\n```rust\n{body}\n```\nthere")
    assert made.files[0].name == "code-1.rs" and made.files[0].text == f"{body}\n"
    assert len(made.pieces) == 1 and made.pieces[0].endswith("there")
    assert rendered("```rust\nlet x = 1;\n```").files == ()


def test_buttons_fit_their_ids_and_rows() -> None:
    """At most five in a row, ids of at most 100 characters, each naming question and chain."""
    rows = button_rows(
        Buttons("1" * 20, "2" * 20, ("continue", "vary", "edit_image", "regenerate", "thumbs_up", "thumbs_down"))
    )
    assert [len(row["components"]) for row in rows] == [5, 1]
    assert all(len(one["custom_id"]) <= 100 for row in rows for one in row["components"])
    assert button_rows(Buttons()) == []


@given(st.text(max_size=40), st.integers(0, 50))
def test_nonces_fit(turn_id: str, part: int) -> None:
    """At most 25 characters, another for each part."""
    assert len(nonce_of(turn_id, str(part))) <= 25 and nonce_of(turn_id, str(part)) != nonce_of(turn_id, str(part + 1))


async def test_speech_becomes_what_discord_wants() -> None:
    """Any sound: Ogg with Opus in one channel, with its length and at most 256 points."""
    pcm = audio.decode(voice_note("hello"), 16_000)
    for data in (voice_note("hello"), audio.to_wav(pcm, 16_000)):
        made = await as_voice(data)
        info = audio.probe(made.data)
        assert made.data.startswith(b"OggS") and (info.codec, info.channels) == ("opus", 1)
        assert made.duration_s is not None and abs(made.duration_s - len(pcm) / 16_000) < 0.1
        assert made.mime_type == "audio/ogg" and len(made.waveform) <= 400


def test_code_in_a_list_keeps_its_fences() -> None:
    """A fence that is indented as deep as lists are is a fence too: no message ends within it."""
    code = "\n".join(f"      line {number} of the code" for number in range(120))
    pieces = rendered(f"1. first\n      ```python\n{code}\n      ```\n2. second").pieces
    assert len(pieces) > 1
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
