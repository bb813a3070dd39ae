"""Where the links of an answer lead: their host stands beside every label that does not show it. Pure, and linear in the text.

A model may be made to write `[your bank](https://evil.example/?everything-said-here)`. Nobody should have to trust a label, so it
becomes `[your bank](https://evil.example/…) (evil.example)`. Left as they are: labels that show that very host and no other, links
into the same workspace, and the numbers of sources. An address that a browser may read otherwise than the eye does, or that leads
elsewhere than to the web, is plain text. Code is never altered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from adapters.shared.markdown import code_lines

JOINER = "\u2060"
"""Within an address that is to be no link; unseen."""
GAP = "\u00a0"
"""Between a link and its host: no message is cut there."""
MAX_HOST = 80
"""Characters of a host that are shown: its end, which says whose it is."""
_SIGNS = {ord(sign): f"%{ord(sign):X}" for sign in "[]<>`"}
"""Of Markdown, in an address that is plain text: what they would be in an address."""
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Signs that make a text read in another order than it is written."""
_HINTS = re.compile(r"\]\(|://|\]:|<[a-z]+:|[\u202a-\u202e\u2066-\u2069]", re.IGNORECASE)
_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_WEB = re.compile(
    rf"https?://(?P<user>[\w.~!$&'+,;=%:-]*@)?(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\])(?::\d{{1,5}})?(?:[/?#][^\s\\<>]*)?",
    re.IGNORECASE,
)
_MAIL = re.compile(r"mailto:(?P<host>[\w.+-]+@[\w.-]+)(?:\?[^\s<>]*)?", re.IGNORECASE)
_NAMED_HOST = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_NUMBER = re.compile(r"\\?\[?\^?\d{1,3}\\?\]?")
_TOKEN = re.compile(r"\\[!-/:-@\[-`{-~]|`++|!?\[|\]|<|[a-z][a-z0-9+.-]{0,30}+://", re.IGNORECASE | re.DOTALL)
_TARGET = re.compile(
    r"\(\s*+(?:<(?P<inside>[^<>\n]*+)>|(?P<plain>(?:[^\s()\\<]|\\.|\((?:[^\s()\\]|\\.)*+\))*+))"
    r"(?:\s++(?:\"[^\"]*+\"|'[^']*+'|\([^()]*+\)))?+\s*+\)"
)
_PERHAPS_TARGET = re.compile(r"\((?=[\s<]*+(?:[a-z][a-z0-9+.-]{1,30}:|[/\\]{2}|www\.))", re.IGNORECASE)
_BETWEEN = re.compile(r"<(?P<url>[a-z][a-z0-9+.-]{1,30}:[^<>|\s]*+)(?:\|(?P<label>[^<>\n]*+))?>", re.IGNORECASE)
_BARE = re.compile(r"(?:[a-z][a-z0-9+.-]{0,30}+://\[[0-9a-f:.]{2,45}\])?+[^\s<>`\[\]()|\\]*+", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([()*_~])")
"""Signs of Markdown in an address; any other backslash in it is the address's own, and makes it doubtful."""
_RUNS = re.compile(r"(?:javascript|vbscript|data):|[a-z][a-z0-9+.-]*://", re.IGNORECASE)
"""What an address begins with that leads somewhere, or does something."""
_LINE_HEAD = re.compile(r"(?:\A|\n)[ \t>*+\d.-]*\Z")


# --- Where an address leads ------------------------------------------------------------------------------------------


def host_of(url: str) -> str:
    """The host that a browser would ask, in ASCII, or the address of a `mailto:`; empty where that is not beyond doubt."""
    found = _WEB.fullmatch(url) or _MAIL.fullmatch(url)
    if not found or _BIDI.search(url):
        return ""
    host = found["host"].rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return ""


def shown_host(url: str) -> str:
    """The host as it stands beside a link."""
    host = host_of(url)
    return host if len(host) <= MAX_HOST else f"…{host[-MAX_HOST:]}"


def needs_host(label: str, url: str, home: Sequence[str] = ()) -> bool:
    """Whether the host must stand beside this link. home: what addresses of the same workspace begin with."""
    if label == url:
        return not is_plain(url)
    if _NUMBER.fullmatch(label.strip()):
        return False
    named = _named_hosts(label)
    if not named:
        return not any(url.startswith(prefix) for prefix in home)
    return named != {host_of(url).removeprefix("www.")} or bool(re.search(r"[|\\<@]", label))


def is_plain(url: str) -> bool:
    """Whether an address shows its own host: nothing stands before it that looks like one, and its letters are no lookalikes."""
    found = _WEB.fullmatch(url) or _MAIL.fullmatch(url)
    return bool(found and not found.groupdict().get("user") and found["host"].isascii())


def _named_hosts(label: str) -> set[str]:
    """What in a label reads like a host, without what stands behind it in an address."""
    words = (re.split("[/?#]", re.sub("(?i)^[^a-z]*https?://", "", word), maxsplit=1)[0] for word in label.split())
    return {name.lower().removeprefix("www.") for word in words for name in _NAMED_HOST.findall(word)}


# --- Markdown --------------------------------------------------------------------------------------------------------


def show_hosts(text: str, home: Sequence[str] = ()) -> str:
    """Markdown whose links all show where they lead; done twice, it stays the same.

    home: what addresses of the same workspace begin with, as "https://discord.com/channels/1/".
    """
    if not _HINTS.search(text):
        return text
    return "".join(part if is_code else _Scan(_BIDI.sub(JOINER, part), home).run() for is_code, part in _parts(text))


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """The text in blocks of code, each line by itself, and paragraphs, which end with an empty line."""
    plain = text.split("\n")
    lines = [*(f"{line}\n" for line in plain[:-1]), plain[-1]]
    pending: list[str] = []
    for line, is_code in zip(lines, code_lines(plain), strict=True):
        if is_code and pending:
            yield False, "".join(pending)
            pending = []
        if is_code:
            yield True, line
            continue
        pending.append(line)
        if not line.strip():
            yield False, "".join(pending)
            pending = []
    yield False, "".join(pending)


@dataclass
class _Scan:
    """One paragraph, read from its beginning to its end once."""

    text: str
    home: Sequence[str]
    out: list[str] = field(default_factory=list)
    brackets: list[tuple[int, int]] = field(default_factory=list)
    """Of each `[` that is open: where it stands in `out` and in the text."""
    ticks: dict[int, list[int]] = field(default_factory=dict)
    """Where runs of backticks begin, by their length, the last first."""

    def run(self) -> str:
        """The paragraph as it is shown."""
        at, self.ticks = 0, _runs_of_ticks(self.text)
        while found := _TOKEN.search(self.text, at):
            self.out.append(self.text[at : found.start()])
            at = max(self._take(found), found.start() + 1)  # whatever it is, it is passed
        self.out.append(self.text[at:])
        return "".join(self.out)

    def _take(self, found: re.Match[str]) -> int:
        """Take a sign; gives the position after what was taken."""
        sign, at = found[0], found.start()
        match sign[-1]:
            case "`" if not sign.startswith("\\"):
                return self._take_code(at, len(sign))
            case "[" if not sign.startswith("\\"):
                self.brackets.append((len(self.out), at))
            case "]" if sign == "]":
                return self._close(at)
            case "<" if sign == "<":
                return self._take_between(at)
            case "/" if sign.endswith("://"):
                return self._take_bare(at)
        self.out.append(sign)
        return found.end()

    def _take_code(self, at: int, length: int) -> int:
        same = self.ticks.get(length, [])
        while same and same[-1] <= at:
            same.pop()
        end = same.pop() + length if same else at + length
        self.out.append(self.text[at:end])
        return end

    def _close(self, at: int) -> int:
        """A `]`: the end of a label, of a reference's name, or of nothing."""
        index, begins = self.brackets.pop() if self.brackets else (-1, at)
        target = _TARGET.match(self.text, at + 1) if index >= 0 else None
        if target:
            return self._link(index, target)
        if (
            index >= 0
            and self.text.startswith(":", at + 1)
            and _LINE_HEAD.search(self.text[max(0, begins - 40) : begins])
        ):
            self.out[index] = "\\["  # what a reference stands for is read, not hidden
        is_doubtful = _PERHAPS_TARGET.match(
            self.text, at + 1
        )  # no platform shall find a link where none was found here
        self.out.append("] " if is_doubtful else "]")
        return at + 1

    def _link(self, index: int, target: re.Match[str]) -> int:
        label = "".join(self.out[index + 1 :])
        url = target["inside"] if target["inside"] is not None else _ESCAPED.sub(r"\1", target["plain"])
        made = self._shown_link(label, url.strip(), self.text[target.start() : target.end()], target.end())
        self.out[index:] = [made]
        self.brackets.clear()  # a link holds no link, nor is it within one
        return target.end()

    def _shown_link(self, label: str, url: str, written: str, end: int) -> str:
        if not re.search(r"[:.\\]|^//", url):
            return f"[{label}]{written}"
        host = shown_host(url)
        if not host:
            return f"{label} ({_plain(url)})".lstrip()
        shown = label if label.strip() else host
        return f"[{shown}]{written}{self._host_beside(shown, url, end)}"

    def _host_beside(self, label: str, url: str, end: int) -> str:
        beside = f"{GAP}({shown_host(url)})"
        is_there = self.text.startswith(beside, end)
        return beside if needs_host(label, url, self.home) and not is_there else ""

    def _take_between(self, at: int) -> int:
        """An address in angle brackets, with a label behind a bar as Slack has it, or just a sign."""
        found = _BETWEEN.match(self.text, at)
        if not found:
            self.out.append("<")
            return at + 1
        url, label = found["url"], found["label"]
        if label is not None:
            self.out.append(self._shown_link(label, url, f"({url})", found.end()))
        elif _RUNS.match(url) or url.lower().startswith("http"):
            self.out.append(self._shown_bare(found[0], url, found.end()))
        else:
            self.out.append(found[0])
        return found.end()

    def _take_bare(self, at: int) -> int:
        found = _BARE.match(self.text, at)
        assert found  # it may be empty, but always matches
        url = found[0].rstrip(".,;:!?*_~'\"")
        self.out.append(self._shown_bare(url, url, at + len(url)))
        return at + len(url)

    def _shown_bare(self, written: str, url: str, end: int) -> str:
        """An address that stands for itself: its host is read in it, unless something comes before it or it only looks so."""
        host = shown_host(url)
        if not host:
            return _plain(url)
        if is_plain(url):
            return written
        beside = f"{GAP}({host})"
        return written if self.text.startswith(beside, end) else f"{written}{beside}"


def _plain(url: str) -> str:
    """An address as plain text: it is read, and leads nowhere."""
    short = re.sub(r"\s+", " ", url)[:200].strip().translate(_SIGNS)
    return re.sub(rf":(?!{JOINER})|(?<=/)(?=/)", lambda found: f"{found[0]}{JOINER}", short)


def _runs_of_ticks(text: str) -> dict[int, list[int]]:
    """Where runs of backticks begin, by their length, the last first."""
    found: dict[int, list[int]] = {}
    for run in re.finditer("`++", text):
        found.setdefault(len(run[0]), []).append(run.start())
    return {length: starts[::-1] for length, starts in found.items()}
