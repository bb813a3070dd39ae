"""How answers look at Discord, and the pace of writing, without a server."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.governor import GLOBAL_PER_S, Governor, Lane
from adapters.discord.post import nonce_of
from adapters.discord.render import LIMIT, Buttons, button_rows, rendered, shown, table_as_text
from adapters.discord.speech import as_voice
from bot.media import audio
from tests.fakes import FakeClock
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
    assert len(nonce_of(turn_id, part)) <= 25 and nonce_of(turn_id, part) != nonce_of(turn_id, part + 1)


async def test_speech_becomes_what_discord_wants() -> None:
    """Any sound: Ogg with Opus in one channel, with its length and at most 256 points."""
    pcm = audio.decode(voice_note("hello"), 16_000)
    for data in (voice_note("hello"), audio.to_wav(pcm, 16_000)):
        made = await as_voice(data)
        info = audio.probe(made.data)
        assert made.data.startswith(b"OggS") and (info.codec, info.channels) == ("opus", 1)
        assert made.duration_s is not None and abs(made.duration_s - len(pcm) / 16_000) < 0.1
        assert made.mime_type == "audio/ogg" and len(made.waveform) <= 400


# --- The governor ----------------------------------------------------------------------------------------------------


def headers(limit: int, remaining: int, reset_after: float) -> dict[str, str]:
    """As Discord sends them."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset-After": str(reset_after),
    }


async def test_nothing_goes_into_an_empty_bucket(clock: FakeClock) -> None:
    """The next call waits for the window's end."""
    governor = Governor(clock)
    governor.note("PATCH", "1", headers(5, 0, 3.0))
    began = clock.monotonic()
    governor.done(await governor.turn("PATCH", "1", urgent=True))
    assert clock.monotonic() - began >= 3.0
    assert not [wait for wait in clock.slept if wait > 3.1]


async def test_progress_leaves_room_for_answers(clock: FakeClock) -> None:
    """With two calls left, an edit that only shows progress waits and a final one goes."""
    governor = Governor(clock)
    governor.note("PATCH", "1", headers(5, 2, 4.0))
    governor.done(await governor.turn("PATCH", "1", urgent=True))
    assert clock.slept == []
    began = clock.monotonic()
    governor.done(await governor.turn("PATCH", "1", urgent=False))
    assert clock.monotonic() - began >= 3.9


async def test_replies_in_one_channel_take_turns(clock: FakeClock) -> None:
    """Progress goes first come, first served: nobody goes twice while another waits."""
    governor, order = Governor(clock), list[int]()

    async def reply(number: int) -> None:
        await asyncio.sleep(0)
        for _ in range(4):
            lane = await governor.turn("PATCH", "1", urgent=False)
            order.append(number)
            governor.note("PATCH", "1", headers(5, 4, 5.0))
            governor.done(lane)
            await asyncio.sleep(0)

    await asyncio.gather(*(reply(number) for number in range(3)))
    assert all(sorted(order[at : at + 3]) == [0, 1, 2] for at in range(0, 12, 3))


async def test_all_calls_together_stay_below_the_global_limit(clock: FakeClock) -> None:
    """In no second more than Discord allows, over all channels; tokens of interactions do not count."""
    governor, times = Governor(clock), list[float]()

    async def write(channel: int) -> None:
        lane = await governor.turn("POST", str(channel), urgent=True)
        times.append(clock.monotonic())
        governor.done(lane)

    await asyncio.gather(*(write(number) for number in range(120)))
    for at in times:
        assert sum(at <= other < at + 1 for other in times) <= GLOBAL_PER_S
    before = clock.monotonic()
    for number in range(100):
        governor.done(await governor.turn("PATCH", f"token-{number}", urgent=True, counts=False))
    assert clock.monotonic() == before


def test_headers_out_of_order_do_not_give_calls_back() -> None:
    """Of two answers in one window the lower figure holds; a new window begins anew."""
    lane = Lane()
    lane.note(0.0, 5, 2, 4.0)
    lane.note(0.1, 5, 3, 3.9)
    assert lane.free(0.1) == 2
    lane.note(4.2, 5, 4, 5.0)
    assert lane.free(4.2) == 4
    assert lane.free(9.3) == 5


def test_code_in_a_list_keeps_its_fences() -> None:
    """A fence that is indented as deep as lists are is a fence too: no message ends within it."""
    code = "\n".join(f"      line {number} of the code" for number in range(120))
    pieces = rendered(f"1. first\n      ```python\n{code}\n      ```\n2. second").pieces
    assert len(pieces) > 1
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
