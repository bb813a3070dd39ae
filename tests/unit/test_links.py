"""An answer carries nothing out by itself: wherever a link leads can be read beside it, on Slack, Discord and the page."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from adapters.discord import render as discord
from adapters.playground import render as playground
from adapters.shared.links import GAP, JOINER, host_of, needs_host, show_hosts
from adapters.slack import render as slack

HOME = ("https://acme.slack.com/archives/", "https://discord.com/channels/1/")
E = f"{GAP}(evil.example)"
TABLE = {
    "a label": ("[your bank](https://evil.example/?x=1)", f"[your bank](https://evil.example/?x=1){E}"),
    "a lying label": ("[https://bank.example](https://evil.example/)", f"[https://bank.example](https://evil.example/){E}"),
    "a lie beside the truth": ("[bank.example evil.example](https://evil.example/)", f"[bank.example evil.example](https://evil.example/){E}"),
    "an honest label": ("[evil.example/a.html](https://evil.example/b)", "[evil.example/a.html](https://evil.example/b)"),
    "a subdomain is another host": ("[evil.example](https://a.evil.example/)", f"[evil.example](https://a.evil.example/){GAP}(a.evil.example)"),
    "userinfo": ("https://bank.example@evil.example/", f"https://bank.example@evil.example/{E}"),
    "userinfo behind a label": ("[x](https://bank.example@evil.example/)", f"[x](https://bank.example@evil.example/){E}"),
    "a lookalike": ("https://аpple.com/", f"https://аpple.com/{GAP}(xn--pple-43d.com)"),
    "a lookalike behind a label": ("[apple.com](https://аpple.com/)", f"[apple.com](https://аpple.com/){GAP}(xn--pple-43d.com)"),
    "a backslash": (r"[x](https://evil.example\@bank.example/)", r"x (https://evil.example\@bank.example/)"),
    "an escaped host": ("[x](https://%65vil.example/)", "x (https://%65vil.example/)"),
    "no slashes": ("[x](https:evil.example)", "x (https:evil.example)"),
    "one slash too many": ("[x](https:///evil.example)", "x (https:///evil.example)"),
    "no scheme": ("[x](//evil.example)", "x (//evil.example)"),
    "a signless scheme": ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
    "data": ("[x](data:text/html,hi)", "x (data:text/html,hi)"),
    "another program": ("[x](slack://open?id=1) discord://x", "x (slack://open?id=1) discord://x"),
    "a mailbox": ("[write](mailto:a@evil.example?body=secret)", f"[write](mailto:a@evil.example?body=secret){GAP}(a@evil.example)"),
    "reordered": ("[\u202egnab\u202c](https://evil.example)", f"[gnab](https://evil.example){E}"),
    "in angle brackets": ("<https://evil.example/?x>", "<https://evil.example/?x>"),
    "as Slack has it": ("<https://evil.example|bank>", f"[bank](https://evil.example){E}"),
    "a picture": ("![cat](https://evil.example/c.png)", f"[cat](https://evil.example/c.png){E}"),
    "a picture in a link": ("[![a](https://i.example/)](https://evil.example)", f"[[a](https://i.example/){GAP}(i.example)] (https://evil.example)"),
    "no label": ("[](https://evil.example/)", "[evil.example](https://evil.example/)"),
    "a title": ('[x](<https://evil.example/> "bank")', f'[x](<https://evil.example/> "bank"){E}'),
    "brackets in the label": ("[a [b] c](https://evil.example)", f"[a [b] c](https://evil.example){E}"),
    "over two lines": ("[a\nb](https://evil.example)", f"[a\nb](https://evil.example){E}"),
    "a reference": ("[bank][1]\n\n[1]: https://evil.example", "[bank][1]\n\n\\[1]: https://evil.example"),
    "half a link": ("[x](https://evil.example", "[x] (https://evil.example"),
    "Markdown in an address": ("https://bank.example**.evil.example**/", "https://bank.example**.evil.example**/"),
    "a numbered source": ("so [1](https://evil.example/) and [[2]](https://evil.example/)", "so [1](https://evil.example/) and [[2]](https://evil.example/)"),
    "the same workspace": ("[here](https://acme.slack.com/archives/C1/p1) [there](https://discord.com/channels/1/2/3)",) * 2,
    "another workspace": ("[x](https://discord.com/channels/2/3)", f"[x](https://discord.com/channels/2/3){GAP}(discord.com)"),
    "like the same workspace": ("[x](https://acme.slack.com.evil.example/archives/)", f"[x](https://acme.slack.com.evil.example/archives/){GAP}(acme.slack.com.evil.example)"),
    "an ordinary address": ("See https://evil.example/a_(b)?c=d#e.",) * 2,
    "code": ("`[x](https://evil.example)` ``a ` [x](javascript:1)``",) * 2,
    "a block of code": ("```\n[x](https://evil.example)\u202e\n```\n  ~~~\n![x](y://z)",) * 2,
    "prose": ("a[i](x), f(x)[0], [ ] task, <std::string>, [^1], 3:00, <t:1:R> <@1> <#2>",) * 2,
    "an escaped slash": (r"a\/b [x](https://evil.example)", rf"a\/b [x](https://evil.example){E}"),
    "escaped": (r"\[x\](https://evil.example)", r"\[x\](https://evil.example)"),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_links_show_where_they_lead(case: str) -> None:
    """Each kind of link, lie and trick, and what is left as it is; a second time nothing is added."""
    given_text, shown = TABLE[case]
    made = show_hosts(given_text, HOME)
    assert made.replace(JOINER, "") == shown
    assert show_hosts(made, HOME) == made


PIECES = st.sampled_from(
    [
        "[", "]", "(", ")", "![", "](", "<", ">", "|", "`", "```", "\n", "\n\n", " ", "\\", "bank.example", "https://evil.example/",
        "https://bank.example@evil.example", "https://аpple.com", "HTTP://Evil.Example:80/a", "javascript:x", "//evil.example", "slack://x",
        "[1]: ", '"t"', "**", "_", "\u202e", "\u200b", "| a | b |\n|---|---|\n| ", " |\n", "- ", "> ", "# ", 
        "[x](https://evil.example)", "1",
        "mailto:a@evil.example", "word", "www.bank.example", "~~~", "    ",
    ]
)  # fmt: skip
DEEP_FENCE = re.compile(r"(?:^|\n) {4,}(?:`{3}|~{3})")
"""Code for the platforms, however deep it is indented, but not for the parser that these tests read messages with."""
TEXTS = st.lists(PIECES, max_size=14).map("".join).filter(lambda text: not DEEP_FENCE.search(text))


class Links(HTMLParser):
    """The links of a piece of HTML, and its visible text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.urls: list[tuple[str, str]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a link begins and leads."""
        url = next((value for name, value in attrs if name in ("href", "src") and value), "")
        if url:
            self.urls.append((url, ""))

    def handle_endtag(self, tag: str) -> None:
        """Nothing to note."""

    def handle_data(self, data: str) -> None:
        """Text; also the label of a link."""
        self.text += data
        if self.urls and not self.urls[-1][1]:
            self.urls[-1] = (self.urls[-1][0], data)


def assert_readable(source: str, where: str) -> None:
    """Every link's host can be read in the text around it, but for the numbers of sources."""
    found = Links(source)
    for url, label in found.urls:
        if ":" not in url and not url.startswith("//"):
            continue  # leads nowhere
        if url.lower().startswith("mailto:"):
            assert url[7:20].lower() in found.text.lower(), (where, url)
            continue
        host = (urlsplit(html.unescape(url)).hostname or "").lower()
        assert url.lower().startswith(("http://", "https://", "mailto:")), (where, url)
        assert re.fullmatch(r"\[?\d+\]?", label) or host in found.text.lower(), (where, url, found.text)


COMMONMARK = MarkdownIt("commonmark", {"html": False}).enable("table")
LOOSE = re.compile(r"\[([^\]\n]*)\]\(\s*<?(https?://[^\s)>]+)", re.IGNORECASE)


@given(TEXTS)
@settings(max_examples=300, deadline=None)
@example("[a`](https://evil.example)`")
@example("[x](https://evil.example)" * 60)
@example("x" * 1_880 + " [x](https://evil.example) y")
def test_every_link_on_every_platform_shows_its_host(text: str) -> None:
    """Whatever the mixture of signs, in each message that is made of it the host of what can be clicked can be read."""
    for number, piece in enumerate(discord.rendered(text).pieces):
        assert len(piece) <= discord.LIMIT
        assert_readable(COMMONMARK.render(piece), f"discord {number}")
    for piece in slack.rendered(text).pieces:
        for block in piece.blocks:
            if block["type"] == "markdown":
                assert_readable(COMMONMARK.render(block["text"]), "slack")
            else:
                _assert_cells_readable(block)
    for block_html in playground.blocks(text):
        assert_readable(block_html, "page")


def _assert_cells_readable(block: slack.Block) -> None:
    for row in block["rows"]:
        for cell in row:
            for section in cell.get("elements", ()):
                text = "".join(one.get("text", "") for one in section["elements"])
                for one in section["elements"]:
                    if one["type"] == "link" and not one["text"].isdigit():
                        assert host_of(one["url"]) and host_of(one["url"]) in text.lower()


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_showing_hosts_twice_adds_nothing(text: str) -> None:
    """What was shown may be shown again, for messages are cut and rendered in pieces: no host is said twice."""
    once = show_hosts(text)
    assert show_hosts(once).count(f"{GAP}(") == once.count(f"{GAP}(")


@given(TEXTS)
@settings(max_examples=300, deadline=None)
def test_every_paint_of_a_growing_answer_shows_hosts(text: str) -> None:
    """An answer is painted while it grows: each of its beginnings keeps the promise too."""
    for end in range(0, len(text), 7):
        for piece in discord.rendered(text[:end]).pieces:
            assert_readable(COMMONMARK.render(piece), "discord")
        for block_html in playground.blocks(text[:end], has_colours=False):
            assert_readable(block_html, "page")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Evil.Example:8443/a?b#c", "evil.example"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://[::1]:80/", "[::1]"),
        ("https://a@b@evil.example/", ""),
        ("https://evil.example\\.bank.example/", ""),
        ("https://evil.example\u3002com/", ""),
        ("https://ev\u200bil.example/", ""),
        ("https://\u202eelpmaxe.live/", ""),
        ("https://ｅvil.example/", "evil.example"),
        ("https:// evil.example/", ""),
        ("ftp://evil.example/", ""),
        ("https://", ""),
    ],
)
def test_a_host_is_what_a_browser_would_ask_or_nothing(url: str, host: str) -> None:
    """Where browsers and people could read an address differently, there is no host, and so no link."""
    assert host_of(url) == host


def test_a_label_shows_its_host_only_if_it_shows_no_other() -> None:
    """In any case and with www, but not with a second host, a mailbox or a spoiler over it."""
    assert not needs_host("WWW.Evil.Example", "https://evil.example/")
    assert not needs_host("**evil.example** docs", "https://www.evil.example/")
    assert needs_host("||evil.example||", "https://evil.example/")
    assert needs_host("bank.example@evil.example", "https://evil.example/")
    assert needs_host("еvil.example", "https://evil.example/")


def test_remarks_hold_no_links() -> None:
    """A file's name in a remark makes no link at Discord, nor at Slack, where remarks have another syntax."""
    remark = "[plan](https://evil.example/).pdf is too large, <https://evil.example|plan>"
    assert "](" not in discord.rendered("hi", (remark,)).pieces[-1]
    assert "<https" not in str(slack.rendered("hi", (), (remark,)).pieces[-1].blocks)
