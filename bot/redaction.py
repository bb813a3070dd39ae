"""Secrets struck out of text: those that this process knows, by value and in common encodings, and whatever has the shape of one.

What a process learns it forgets when whoever taught it (a `Secrets`) is closed. How a value is looked for depends on how much can
be told by it. A long one is found by any twelve of its characters in a row, so that a piece of it, such as a cut-off error message
holds, is found too. A short one is found whole. A shorter one, or a plain word such as "parley", is struck out only where the text
says that it is a secret: it may stand anywhere else for another reason.

The time is linear in the text, whatever the number of secrets: each fifth position is looked up in a table of their pieces.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

STRUCK = "***"
LONG = 12
"""Characters of a secret that is found by any piece of so many."""
PIECE = 8
STRIDE = LONG - PIECE + 1
"""Of a run of LONG characters at least one piece begins at a multiple of this."""
MIN_WHOLE = 6
"""Characters of a secret that is found whole, wherever it stands."""
MIN_ENCODED = 8
"""A shorter piece of base64 stands for too little."""
MAX_HOLDERS = 8
"""Forms of secrets that are compared where a piece of them was found: those of one secret have most of their pieces in common."""
MAX_LEARNT = 256
"""Secrets known at once; the first learnt are forgotten. Workspaces' tokens have a shape that is struck out anyway."""

SHAPES = re.compile(
    r"(sk-|xox[abeprs]-|xapp-|xwfp-|Bot\s{1,8}|Bearer\s{1,8})[\w\-.]{6,}"
    r"|(://[^/:@\s]{0,128}:)[^@\s]{1,200}+(?=@)"
    r"|((?:webhooks|interactions)/\d{1,20}/)[\w\-]{20,}"
    r"|([?&](?:ticket|token|access_token|refresh_token|code|client_secret|key|api_key|sig|signature)=)[^&\s\"'<>]{6,512}"
    r"|(hooks\.[\w.]{1,64}/\w{1,20}/\w{1,20}/\w{1,20}/)[\w\-/]{8,}"
    r"|aW50ZXJhY3Rpb24[\w\-+/=]{20,}"
    r"|(Basic\s{1,8})(?=[A-Za-z]{0,512}[\d+/=])[A-Za-z\d+/]{6,}={0,2}"
    r"|(?<![\w\-.])[\w\-]{23,28}\.[\w\-]{6,7}\.[\w\-]{27,}"
)
"""Keys of OpenAI and Slack, tokens and passwords in headers, passwords and tokens in addresses, Discord's and Slack's addresses to
answer at, Discord's tokens of interactions (they begin with that word in base64), and its bot's token (id, time and signature)."""
LABEL = r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|key|auth\w{0,16}|credentials?|basic|bearer)[\W_]{1,6})"
"""What stands before a value that is called a secret."""
MIN_LABELLED = 3


class _Known:
    """What is looked for: made anew whenever something is forgotten."""

    def __init__(self) -> None:
        self.pieces: dict[str, tuple[tuple[str, int], ...]] = {}
        """By a piece of PIECE characters: the forms of secrets that hold it, and where."""
        self.whole: set[str] = set()
        self.labelled: set[str] = set()
        self.whole_pattern: re.Pattern[str] | None = None
        self.labelled_pattern: re.Pattern[str] | None = None

    def add(self, value: str) -> None:
        if len(value) >= LONG:
            for form in dict.fromkeys(map(_in_small_letters, forms(value))):
                self._add_pieces(form)
        elif len(value) >= MIN_WHOLE and not (value.isalpha() or value.isdigit()):
            self.whole |= set(forms(value))
            self.whole_pattern = re.compile(_any_of(self.whole), re.IGNORECASE)
        elif len(value) >= MIN_LABELLED:
            self.labelled |= set(forms(value))
            self.labelled_pattern = re.compile(rf"{LABEL}(?:{_any_of(self.labelled)})(?!\w)", re.IGNORECASE)

    def _add_pieces(self, form: str) -> None:
        for at in range(len(form) - PIECE + 1):
            piece = form[at : at + PIECE]
            held = self.pieces.get(piece, ())
            if len(held) < MAX_HOLDERS:
                self.pieces[piece] = (*held, (form, at))


def _any_of(values: Iterable[str]) -> str:
    """Any of the values, the longest first."""
    return "|".join(map(re.escape, sorted(values, key=len, reverse=True)))


def forms(value: str) -> Iterator[str]:
    """The value, and how it looks in an address, in JSON (twice, too), in HTML, in Python's quotes, as bytes and in base64."""
    data = value.encode(errors="replace")
    seen = dict.fromkeys((value, quote(value, safe=""), quote(value), quote_plus(value)))
    seen |= {data.hex(): None, "".join(f"%{byte:02X}" for byte in data): None}
    in_json = json.dumps(value)[1:-1]
    seen |= {in_json: None, json.dumps(value, ensure_ascii=False)[1:-1]: None, in_json.replace("/", "\\/"): None}
    seen |= {json.dumps(in_json)[1:-1]: None, repr(value)[1:-1]: None}
    seen |= {html.escape(value): None, html.escape(value, quote=False): None}
    seen |= dict.fromkeys(_in_base64(data))
    yield from filter(None, seen)


def _in_base64(data: bytes) -> Iterator[str]:
    """What base64 makes of the bytes whatever stands before and after them, such as the name before a password."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + data).decode().rstrip("=")
        whole = encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
        if len(whole) >= MIN_ENCODED:
            yield whole
            yield whole.translate(str.maketrans("+/", "-_"))


class _Registry:
    """The secrets of the process, by who taught them."""

    def __init__(self) -> None:
        self.known = _Known()
        self._values: OrderedDict[str, set[object]] = OrderedDict()

    def learn(self, owner: object, value: str) -> None:
        if value in self._values:
            self._values[value].add(owner)
            self._values.move_to_end(value)
            return
        self._values[value] = {owner}
        self.known.add(value)
        if len(self._values) > MAX_LEARNT:
            while len(self._values) > MAX_LEARNT // 2:
                self._values.popitem(last=False)
            self._make_anew()

    def forget(self, owner: object) -> None:
        owned = [value for value, owners in self._values.items() if owner in owners]
        for value in owned:
            self._values[value].discard(owner)
            if not self._values[value]:
                del self._values[value]
        if owned:
            self._make_anew()

    def _make_anew(self) -> None:
        known = _Known()
        for value in self._values:
            known.add(value)
        self.known = known


_registry = _Registry()


class Secrets:
    """What one owner knows to be secret, such as one Parley. While it is open, it is struck out everywhere in the process."""

    def learn(self, *values: str) -> None:
        """From now on these are struck out; each line of a value by itself too."""
        for value in values:
            for line in {value.strip(), *map(str.strip, value.splitlines())}:
                if line:
                    _registry.learn(self, line)

    def close(self) -> None:
        """They are no secrets any more, unless somebody else knows them."""
        _registry.forget(self)


def redact(text: str) -> str:
    """The text of an error, a log line or a diagnostic with every secret struck out."""
    text, known = redact_long(text), _registry.known
    for pattern in (known.whole_pattern, known.labelled_pattern, SHAPES):
        if pattern is not None:
            text = pattern.sub(_struck, text)
    return text


def _struck(found: re.Match[str]) -> str:
    """What stands before the secret stays."""
    return f"{next(filter(None, found.groups()), '')}{STRUCK}"


def redact_long(text: str) -> str:
    """The text without long secrets: for people's and models' words, in which a short one may stand for another reason."""
    pieces = _registry.known.pieces
    if not pieces or len(text) < LONG:
        return text
    small, kept = _in_small_letters(text), list[str]()
    done = at = 0
    while at <= len(text) - PIECE:
        if (found := pieces.get(small[at : at + PIECE])) is not None:
            start, end = max((_run(small, at, done, *one) for one in found), key=_length)
            if end - start >= LONG:
                kept += (text[done:start], STRUCK) if start > done or not kept else ()
                done = at = end
                continue
        at += STRIDE
    return "".join((*kept, text[done:])) if kept else text


def _in_small_letters(text: str) -> str:
    """As many letters as before: some servers quote in small ones, and percent signs come with either."""
    small = text.lower()
    return small if len(small) == len(text) else "".join(one if len(one.lower()) > 1 else one.lower() for one in text)


def _length(run: tuple[int, int]) -> int:
    return run[1] - run[0]


def _run(text: str, at: int, earliest: int, form: str, offset: int) -> tuple[int, int]:
    """Where what the text and the form have in common around the piece begins and ends in the text."""
    start, end, before, after = at, at + PIECE, offset, offset + PIECE
    while before > 0 and start > earliest and text[start - 1] == form[before - 1]:
        start, before = start - 1, before - 1
    while after < len(form) and end < len(text) and text[end] == form[after]:
        end, after = end + 1, after + 1
    return start, end


def redact_within(value: Any, strike: Callable[[str], str]) -> Any:
    """A plain JSON value with `strike` done to every text in it: `redact`, or `redact_long`."""
    if isinstance(value, str):
        return strike(value)
    if isinstance(value, list | tuple):
        return [redact_within(one, strike) for one in value]
    if isinstance(value, dict):
        return {key: redact_within(one, strike) for key, one in value.items()}
    return value
