"""Text in whatever encoding it was saved."""

from __future__ import annotations

import charset_normalizer

from bot.media.sniff import wide_encoding

SAMPLE_BYTES = 100_000
MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
CANDIDATES = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
"""What people's programs write today; a guess among all that ever were errs more often."""


def decode_text(data: bytes) -> str:
    """By its byte order mark, as UTF-8, else by the likeliest of the encodings in use. Never raises; line ends become `\\n`."""
    return _decoded(data).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> str:
    marked = next((encoding for mark, encoding in MARKS if data.startswith(mark)), "")
    if encoding := marked or wide_encoding(data):
        return data.decode(encoding, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if _is_nearly_utf8(data):
            return data.decode("utf-8", errors="replace")
    return data.decode(_guess(data[:SAMPLE_BYTES]), errors="replace")


def _is_nearly_utf8(data: bytes) -> bool:
    """A few broken bytes, as in a log, make no other encoding of it."""
    text = data[:SAMPLE_BYTES].decode("utf-8", errors="replace")
    beyond = sum(character > "\x7f" for character in text)
    return text.count("\ufffd") * 10 < beyond


def _guess(sample: bytes) -> str:
    """Without a language to tell by, Central European is the guesser's word for what is most often Western."""
    matches = charset_normalizer.from_bytes(sample, cp_isolation=list(CANDIDATES), preemptive_behaviour=False)
    best = matches.best()
    if best is None:
        return "cp1252"
    is_unsure = best.coherence == 0 or "cp1252" in {match.encoding for match in matches}
    return "cp1252" if best.encoding == "cp1250" and is_unsure else best.encoding
