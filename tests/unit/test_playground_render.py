"""Markdown becomes HTML that a browser may be shown, whatever a model or a person wrote into it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.playground import render
from bot.types import Audio, Blob, File, Image, Text, ToolCall

SHA = "ab" * 32
TAGS = re.compile(r"<\s*/?\s*([a-zA-Z][\w-]*)([^>]*)>")
TEXT_TAGS = {"p", "br", "hr", "strong", "em", "s", "code", "pre", "a", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6"}
FRAME_TAGS = {
    "ul",
    "ol",
    "li",
    "figure",
    "figcaption",
    "span",
    "div",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "input",
}
KNOWN_TAGS = TEXT_TAGS | FRAME_TAGS
KNOWN_ATTRIBUTES = re.compile(
    r'\s*(?:(?:class|href|target|rel|tabindex|start|title|type|aria-label)="[^"<>]*"|disabled|checked)\s*/?'
)
ATTACKS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "![x](javascript:alert(1))",
    '![x](https://e.example/"onerror="alert(1))',
    '[x](https://e.example/ "a\\" onmouseover=\\"alert(1)")',
    '<https://e.example/"onclick=alert(1)>',
    'https://e.example/"onmouseover="alert(1)',
    "https://e.example/<script>",
    '```"><script>alert(1)</script>\n<b>\n```',
    "```html\n<script>alert(1)</script>\n```",
    "`<script>`",
    "[ref]\n\n[ref]: javascript:alert(1)",
    "- [x] <script>",
    "| <script> |\n|---|\n| <img src=x> |",
    "<svg/onload=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "[a](file:///etc/passwd) [b](/api/conversations) [c](//e.example)",
)


def to_html(text: str) -> str:
    """The whole text as HTML."""
    return "".join(render.blocks(text))


def assert_safe(html: str) -> None:
    """Only our tags, with only our attributes, and links only to the web or to a mailbox."""
    for name, attributes in TAGS.findall(html):
        assert name.lower() in KNOWN_TAGS, name
        assert not KNOWN_ATTRIBUTES.sub("", attributes).strip(" /"), attributes
    for url in re.findall(r'href="([^"]*)"', html):
        assert re.match(r"(https?://|mailto:)", url, re.IGNORECASE), url
    assert not re.search(r"<(?![a-zA-Z/])", html)
    assert "src=" not in re.sub(r">[^<]*<", "><", html)


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_become_plain_text(attack: str) -> None:
    """No tag, no handler and no script address comes through, alone or amid other text."""
    assert_safe(to_html(attack))
    assert_safe(to_html(f"# Title\n\n> {attack}\n\n1. {attack} **and more**"))


@given(st.text(alphabet=st.sampled_from(list("<>\"'&[]()!`*_#-|\n \t:/.xjavscriptomhte=on")), max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_text_is_safe(text: str) -> None:
    """Whatever the characters, the HTML holds only what we let in."""
    assert_safe(to_html(text))


def test_markdown_is_shown_as_meant() -> None:
    """Headings, emphasis, tables, task lists and links look as such; links leave without telling where from."""
    html = to_html(
        "# T\n\n**b** *i* ~~s~~ `c`\n\n- [x] done\n- [ ] open\n\n|a|b|\n|---|---|\n|1|2|\n\n[l](https://e.example)"
    )
    for piece in ("<h1>T</h1>", "<strong>b</strong>", "<em>i</em>", "<s>s</s>", "<code>c</code>", "<td>1</td>"):
        assert piece in html
    assert html.count('class="task"') == 2
    assert html.count(" checked") == 1
    assert '<a href="https://e.example" target="_blank" rel="noopener noreferrer nofollow">l</a>' in html


def test_aligned_columns_need_no_style_attribute() -> None:
    """Inline styles are forbidden by the page's policy; alignment is a class."""
    html = to_html("|a|b|\n|--:|:-:|\n|1|2|")
    assert 'class="right"' in html
    assert 'class="center"' in html
    assert "style=" not in html


def test_bare_addresses_become_links_without_their_full_stop() -> None:
    """An address in a sentence is a link; the punctuation after it is not, and code stays code."""
    html = to_html("See https://e.example/a?b=1. And (https://e.example/c), `https://e.example/d`")
    assert ">https://e.example/a?b=1</a>." in html
    assert ">https://e.example/c</a>)," in html
    assert "<code>https://e.example/d</code>" in html


def test_remote_pictures_are_links() -> None:
    """The page fetches no picture from elsewhere: that would tell its server who reads."""
    html = to_html("![a cat](https://e.example/cat.png)")
    assert "<img" not in html
    assert '<a href="https://e.example/cat.png"' in html
    assert ">a cat</a>" in html


def test_code_is_highlighted_by_classes() -> None:
    """Known languages get a class on each token, unknown ones stay text, and nothing needs a style attribute."""
    assert 'class="tok-k"' in to_html("```python\nreturn 1\n```")
    assert "tok-" not in to_html("```nosuchlanguage\nreturn 1\n```")
    assert "<span>nosuchlanguage</span>" in to_html("```nosuchlanguage\nx\n```")


def test_every_beginning_renders_and_an_open_fence_is_code() -> None:
    """While an answer streams, what came so far is shown; an unclosed fence is code from its first line on."""
    text = "Look:\n\n```python\nprint('<b>')\n```\n\nand **bold** | t |"
    for end in range(len(text)):
        assert_safe(to_html(text[:end]))
    assert '<figure class="code">' in to_html("Look:\n\n```python\npri")


def test_blocks_before_the_last_stay_the_same() -> None:
    """As text grows, earlier paragraphs keep their HTML, so the page need not be sent them again."""
    first, second = render.blocks("One.\n\nTwo"), render.blocks("One.\n\nTwo, and more.\n\nThree")
    assert first[0] == second[0]
    assert len(second) == 3


def test_a_huge_text_is_shown_plainly() -> None:
    """A megabyte of text is escaped and shown as it is, at once."""
    html = to_html("<b>" + "x" * 1_000_000)
    assert html.startswith('<pre class="plain">&lt;b&gt;')


def test_parts_become_what_the_page_draws() -> None:
    """Pictures, sound and files carry an address of ours; tool calls are not shown."""
    blob = Blob(SHA, "audio/ogg", 7)
    drawn = render.draw_parts(
        [
            Text("t"),
            Image(blob, description="a cat"),
            Audio(blob, transcript="hi"),
            File(blob, "a&b.txt"),
            ToolCall("1", "t", {}),
        ]
    )
    assert [part["type"] for part in drawn] == ["image", "audio", "file"]
    assert drawn[0]["alt"] == "a cat"
    assert drawn[2]["url"] == f"/api/blobs/{SHA}?type=audio/ogg&size=7&name=a%26b.txt"
