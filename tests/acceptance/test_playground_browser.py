"""The page in a real browser: typing, dropping, pasting, recording, and all that can be done to an answer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from yarl import URL

from tests import making
from tests.acceptance.playground_support import Playground, playing
from tests.browser import CHROMIUM, needs_chromium
from tests.conftest import MakeConfig

pytestmark = needs_chromium
api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
expect = api.expect

DROP = """([name, type, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type }));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
}"""
PASTE = """([name, type, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type }));
  document.getElementById("words").dispatchEvent(
    new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""


class Browser:
    """A person's browser; a script error or a refused resource fails the test."""

    def __init__(self, browser: Any, url: str) -> None:
        self._browser, self._url = browser, url
        self._origin = str(URL(url).origin())
        self.troubles: list[str] = []

    async def visit(self, **looks: Any) -> Any:
        """A profile of its own, without cookies."""
        return await self._browser.new_context(**looks)

    async def open(self, **looks: Any) -> Any:
        """The page, ready to be typed into."""
        context = await self.visit(**looks)
        page = await context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda line: self.troubles.append(line.text) if line.type == "error" else None)
        page.on("request", self._note_foreign)
        await page.goto(self._url)
        await expect(page.locator("#empty")).to_be_visible()
        return page

    def _note_foreign(self, request: Any) -> None:
        if not request.url.startswith((self._origin, "blob:", "data:")):
            self.troubles.append(f"asked {request.url}")


@asynccontextmanager
async def browsing(url: str) -> AsyncIterator[Browser]:
    """A browser with a fake microphone."""
    async with api.async_playwright() as playwright:
        arguments = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        browser = Browser(chromium, url)
        yield browser
        await chromium.close()
        assert not browser.troubles


@pytest.fixture
async def playground(make_config: MakeConfig) -> AsyncIterator[Playground]:
    """A running Parley that serves the page."""
    async with playing(make_config) as made:
        yield made


@pytest.fixture
async def browser(playground: Playground) -> AsyncIterator[Browser]:
    """A browser that fails the test when the page made an error."""
    async with browsing(playground.url) as made:
        yield made


@pytest.fixture
async def page(browser: Browser) -> Any:
    """The open page."""
    return await browser.open()


async def ask(page: Any, text: str) -> None:
    """Type and send."""
    await page.fill("#words", text)
    await page.keyboard.press("Enter")


def answers(page: Any) -> Any:
    """The finished answers."""
    return page.locator(".turn:not(.running) .answer")


async def test_a_typed_question_is_answered_and_survives_a_reload(page: Any) -> None:
    """Enter sends; the answer streams in; the conversation gets a title and is there again after a reload."""
    await page.keyboard.type("first line")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("second [[slow 0.1]] line")
    await page.keyboard.press("Enter")
    await expect(page.locator("#stop")).to_be_visible()
    await expect(answers(page)).to_contain_text("first line")
    await expect(page.locator("#send")).to_be_visible()
    await expect(page.locator("#title")).to_contain_text("first line")
    await expect(page.locator("#said")).to_contain_text("first line")
    await page.reload()
    await expect(page.locator(".question .words")).to_have_text(re.compile(r"first line\s+second"))
    await expect(answers(page)).to_contain_text("first line")
    await expect(page.locator("#list li")).to_have_count(1)


async def test_markdown_looks_as_meant_and_code_can_be_copied(page: Any) -> None:
    """Bold, tables and highlighted code; markup that a person writes stays text."""
    text = "Now:\n\n**bold** <img src=x onerror=alert(1)>\n\n|a|b|\n|--:|---|\n|1|2|\n\n```python\nreturn 1\n```\n"
    await ask(page, text)
    await expect(answers(page).locator("strong")).to_have_text("bold")
    await expect(answers(page).locator("td.right")).to_have_text("1")
    await expect(answers(page).locator(".tok-k")).to_have_text("return")
    await expect(answers(page).locator(".md img")).to_have_count(0)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await answers(page).get_by_label("Copy code").click()
    assert await page.evaluate("navigator.clipboard.readText()") == "return 1\n"


async def test_a_file_that_could_not_be_read_stays_to_be_seen(page: Any) -> None:
    """It is a chip in the person's own bubble that says so, at once and after a reload."""
    files = [("note.txt", "text/plain", b"words"), ("zero.png", "image/png", b"")]
    given = [{"name": name, "mimeType": kind, "buffer": data} for name, kind, data in files]
    await page.set_input_files("#files", given)
    await ask(page, "read these")
    await expect(answers(page)).to_have_count(1)
    await expect(page.locator(".question .file.unread")).to_have_text("zero.png· could not be read")
    await page.reload()
    await expect(page.locator(".question .file.unread")).to_have_text("zero.png· could not be read")
    await expect(page.locator(".question .file")).to_have_count(2)


@pytest.mark.parametrize("width", [1280, 390])
async def test_what_is_off_is_told_in_an_even_card(make_config: MakeConfig, width: int) -> None:
    """Each value stands right under its name, however many lines its neighbour has; variables alone are in code font."""
    async with playing(make_config, image_model="") as playground, browsing(playground.url) as browser:
        page = await browser.open(viewport={"width": width, "height": 800})
        gaps = await page.eval_on_selector_all(
            "#models li",
            "all => all.map(one => one.querySelector('span').offsetTop - one.querySelector('b').offsetTop)",
        )
        assert len(gaps) == 5 and max(gaps) - min(gaps) <= 1 and max(gaps) < 30
        assert await page.locator("#models .off code").all_inner_texts() == ["OPENAI_API_KEY", "IMAGE_MODEL"]
        await expect(page.locator("#models .off span")).to_have_text("off; set OPENAI_API_KEY or IMAGE_MODEL")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("size", [(1600, 300), (300, 900)])
async def test_a_sent_picture_fills_its_frame(browser: Browser, width: int, size: tuple[int, int]) -> None:
    """No empty area beside it, wide or tall; nothing unseen stands between a question and its answer."""
    page = await browser.open(viewport={"width": width, "height": 800})
    await page.set_input_files(
        "#files", {"name": "a.png", "mimeType": "image/png", "buffer": making.picture("A", size)}
    )
    await ask(page, "look")
    await expect(answers(page)).to_have_count(1)
    await expect(page.locator(".question .picture img")).to_have_js_property("complete", True)
    frame = await page.locator(".question .picture").bounding_box()
    picture = await page.locator(".question .picture img").bounding_box()
    assert abs(frame["width"] - picture["width"]) < 1 and abs(frame["height"] - picture["height"]) < 1
    assert abs(picture["width"] / picture["height"] - size[0] / size[1]) < 0.05
    if width == 390:
        assert float(await page.locator(".question .tools").evaluate("one => getComputedStyle(one).opacity")) > 0.5


async def test_files_are_dropped_pasted_and_taken_back(page: Any) -> None:
    """Each way of adding a file makes a chip, a chip can be removed, and what is left is sent."""
    await page.evaluate(DROP, ["dropped.txt", "text/plain", "dropped words"])
    await page.evaluate(PASTE, ["pasted.txt", "text/plain", "pasted words"])
    await page.set_input_files("#files", {"name": "picked.txt", "mimeType": "text/plain", "buffer": b"picked words"})
    await expect(page.locator(".chip")).to_have_count(3)
    await page.get_by_label("Remove pasted.txt").click()
    await ask(page, "read these")
    await expect(page.locator(".chip")).to_have_count(0)
    await expect(page.locator(".question .file")).to_have_count(2)
    await expect(answers(page)).to_have_count(1)
    await page.reload()
    await expect(page.locator(".question .file").first).to_contain_text("dropped.txt")


async def test_a_voice_note_is_recorded_and_sent(page: Any) -> None:
    """The microphone's level and time show while recording; discarding sends nothing, sending brings an answer."""
    await page.click("#mic")
    await expect(page.locator("#recorder")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator("#recorder")).to_be_hidden()
    await expect(page.locator(".turn")).to_have_count(0)
    await page.click("#mic")
    await expect(page.locator("#rec-time")).to_have_text("0:01")
    await page.click("#rec-send")
    await expect(page.locator(".question audio")).to_have_count(1)
    await expect(answers(page)).to_have_count(1)
    await expect(page.locator(".question .transcript")).not_to_be_empty()
    await expect(page.locator(".answer audio")).to_have_count(1)


async def test_escape_stops_an_answer(page: Any) -> None:
    """What had come stays, and says that it was stopped."""
    await ask(page, "[[slow 0.05]] [[long 400]]")
    await expect(page.locator(".answer .md")).to_contain_text("word3")
    await page.keyboard.press("Escape")
    await expect(page.locator(".notices")).to_contain_text("stopped")
    await expect(answers(page)).to_contain_text("word3")
    await expect(answers(page)).not_to_contain_text("word399")


async def test_a_reload_in_the_middle_shows_the_text_so_far(page: Any) -> None:
    """An answer goes on without the page, and the page finds it again."""
    await ask(page, "[[slow 0.03]] [[long 100]]")
    await expect(page.locator(".answer .md")).to_contain_text("word5")
    await page.reload()
    await expect(page.locator(".running .answer .md")).to_contain_text("word0 word1")
    await expect(answers(page)).to_contain_text("word99")


async def test_an_answer_can_be_had_again_and_rated(page: Any) -> None:
    """The new answer takes the old one's place; a thumb stays pressed."""
    await ask(page, "hello")
    await answers(page).get_by_label("Answer again").click()
    await expect(answers(page)).to_have_count(1)
    await answers(page).get_by_label("Good answer").click()
    await expect(answers(page).get_by_label("Good answer")).to_have_attribute("aria-pressed", "true")


async def test_an_answer_has_the_buttons_that_it_has_everywhere(page: Any) -> None:
    """A command's words can be copied and nothing else; a picture can be varied, and changed by words of one's own."""
    await ask(page, "/help")
    await expect(answers(page).last.locator(".tools button")).to_have_count(1)
    await ask(page, "/imagine a lighthouse")
    tools = page.locator(".turn").nth(1).locator(".answer .tools button")
    await expect(tools).to_have_count(6)
    assert [await one.inner_text() for one in await tools.all()] == ["", "Vary", "Edit", "", "", ""]
    await page.get_by_role("button", name="Edit", exact=True).click()
    await page.locator("#ask-words").fill("make it night")
    await page.keyboard.press("Enter")
    await expect(page.locator(".turn")).to_have_count(3)
    await expect(answers(page)).to_have_count(3)
    await expect(page.locator(".question").last).to_contain_text("make it night")
    await expect(page.get_by_label("Edit your message")).to_have_count(0)


PHASES = """async () => {
  const turns = await import("/playground/turns.js");
  const question = { id: "q", text: "words", parts: [], role: "user", turn: "t1" };
  const running = { ...question, is_running: true };
  const answer = { role: "assistant", turn: "t1", text: "so", blocks: ["<p>so</p>"], parts: [], notices: [], actions: [] };
  const told = { turn: "t1", text: "so", blocks: ["<p>so</p>"], parts: [], notices: [], actions: [] };
  const events = {
    sent: () => turns.noteSent("q"),
    begin: () => turns.begin("q", "t1"),
    grow: () => turns.grow("q", "t1", { at: 0, blocks: ["<p>s</p>"] }),
    again: () => turns.begin("q", "t2"),
    done: () => turns.finish("q", told),
    anew: () => turns.beginAnew(turns.find("q"), { isDeleted: false }),
    running: () => turns.take([running], turns.moment(), () => false),
    ended: () => turns.take([question, answer], turns.moment(), () => false),
    old: () => turns.take([question, answer], turns.moment() - 1, () => false),
    gone: () => turns.take([], turns.moment(), () => false),
  };
  return (story) => {
    turns.clear();
    turns.startSending("q", question, "");
    for (const event of story.split(" ").filter(Boolean)) events[event]();
    const turn = turns.find("q");
    return turn ? [turn.phase, ...(turn.answer?.blocks || [])] : ["removed"];
  };
}"""
STORIES = {
    "": ["sending"],
    "gone": ["sending"],
    "sent": ["running"],
    "sent gone": ["removed"],
    "begin sent": ["running"],
    "begin grow": ["running", "<p>s</p>"],
    "begin grow running": ["running", "<p>s</p>"],
    "begin grow old": ["running", "<p>s</p>"],
    "begin grow ended": ["done", "<p>so</p>"],
    "grow done": ["done", "<p>so</p>"],
    "grow done running": ["done", "<p>so</p>"],
    "done ended": ["done", "<p>so</p>"],
    "done again": ["running"],
    "done again old": ["running"],
    "done anew gone": ["past", "<p>so</p>"],
    "grow anew grow": ["past", "<p>s</p>"],
    "grow anew done": ["past", "<p>so</p>"],
}
"""What happens to a turn that is being sent, and the phase it is in then, with the blocks that it shows."""


async def test_a_turn_goes_through_its_phases(page: Any) -> None:
    """Whatever the order in which events and the history arrive: an older look into the history changes nothing that is newer."""
    play = await page.evaluate_handle(PHASES)
    played = {story: await page.evaluate("([play, story]) => play(story)", [play, story]) for story in STORIES}
    assert played == STORIES


async def test_up_edits_the_last_message(page: Any) -> None:
    """The changed question is answered anew, in its place; Escape leaves it as it was."""
    await ask(page, "frist words")
    await expect(answers(page)).to_contain_text("frist")
    await page.keyboard.press("ArrowUp")
    await expect(page.locator("#words")).to_have_value("frist words")
    await page.keyboard.press("Escape")
    await expect(page.locator("#words")).to_have_value("")
    await page.keyboard.press("ArrowUp")
    await page.fill("#words", "first words")
    await page.keyboard.press("Enter")
    await expect(answers(page)).to_contain_text("first words")
    await expect(page.locator(".question .words")).to_have_text("first words")
    await expect(page.locator(".turn")).to_have_count(1)


async def test_a_message_and_a_conversation_can_be_deleted(page: Any) -> None:
    """A message goes with its answer; a conversation goes after a question back, and the list forgets it."""
    await ask(page, "one")
    await expect(answers(page)).to_have_count(1)
    await ask(page, "two")
    await expect(answers(page)).to_have_count(2)
    await page.locator(".turn").first.hover()
    await page.get_by_label("Delete your message").first.click()
    await expect(page.locator(".turn")).to_have_count(1)
    await page.reload()
    await expect(page.locator(".question .words")).to_have_text("two")
    await page.locator("#list li").hover()
    await page.locator("#list button").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(page.locator("#empty")).to_be_visible()
    await expect(page.locator("#list li")).to_have_count(0)


async def test_the_palette_offers_commands(page: Any) -> None:
    """A slash lists them; arrows choose, Tab takes, and a command without arguments is sent at once."""
    await page.locator("#words").press_sequentially("/he")
    await expect(page.get_by_role("option")).to_have_count(1)
    await expect(page.locator("#words")).to_have_attribute("aria-activedescendant", "command-help")
    await page.keyboard.press("Tab")
    await expect(page.locator("#palette")).to_be_hidden()
    if await page.locator("#words").input_value():
        await page.keyboard.press("Enter")
    await expect(answers(page)).to_contain_text("/imagine")


async def test_a_reset_begins_anew_in_sight_of_the_old(page: Any) -> None:
    """What was said stays in sight, greyed, until the page is left; what follows is a conversation of its own."""
    await ask(page, "old words")
    await expect(answers(page)).to_have_count(1)
    await ask(page, "/reset")
    await expect(page.locator(".past")).to_have_count(2)
    await ask(page, "new words")
    await expect(answers(page)).to_have_count(3)
    await expect(answers(page).last).to_contain_text("new words")
    await page.reload()
    await expect(page.locator(".question .words")).to_have_text("new words")


async def test_an_error_is_told_calmly_and_can_be_tried_again(page: Any) -> None:
    """A failed model leaves a notice under the question, with a way to ask again."""
    await ask(page, "[[fail quota]]")
    await expect(page.locator(".answer")).to_have_attribute("data-error", "quota")
    await expect(answers(page)).not_to_be_empty()
    await expect(answers(page).get_by_label("Answer again")).to_be_visible()


async def test_the_keyboard_reaches_everything(page: Any) -> None:
    """The skip link comes first and leads to the message box; every button has a name."""
    first = "document.querySelector('a[href], button, input, textarea').className"
    assert await page.evaluate(first) == "skip"
    here = page.url
    await page.locator(".skip").focus()
    await page.keyboard.press("Enter")
    assert page.url == here
    await expect(page.locator("#words")).to_be_focused()
    nameless = "nodes => nodes.filter((node) => !(node.ariaLabel || node.textContent.trim())).length"
    assert await page.locator("button").evaluate_all(nameless) == 0


async def test_a_phone_shows_the_whole_page(browser: Browser) -> None:
    """Nothing is wider than the screen, and the list opens from the menu and closes by Escape."""
    page = await browser.open(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True)
    await ask(
        page,
        "a_very_long_word_" * 30
        + "\n\n```\n"
        + "x" * 300
        + "\n```\n\n|a|b|c|d|e|f|\n|-|-|-|-|-|-|\n"
        + "|wide cell" * 6
        + "|",
    )
    await expect(answers(page)).to_have_count(1)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await page.evaluate("document.getElementById('scroll').scrollWidth") <= 360
    await page.click("#menu")
    await expect(page.locator("#new")).to_be_in_viewport()
    await page.keyboard.press("Escape")
    await expect(page.locator("#new")).not_to_be_in_viewport()


async def test_dark_and_light(browser: Browser) -> None:
    """The page follows the system, and the button overrules it across reloads."""
    page = await browser.open(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(paper)
    await page.click("#theme")
    await expect(page.locator("#theme")).to_contain_text("light")
    light = await page.evaluate(paper)
    assert dark != light
    await page.reload()
    await expect(page.locator("#theme")).to_contain_text("light")
    assert await page.evaluate(paper) == light


async def test_the_password_is_asked_for_once(make_config: MakeConfig) -> None:
    """A wrong password says so; the right one opens the page, for the next visit too."""
    async with (
        playing(make_config, playground_password="open sesame") as playground,
        browsing(playground.url) as browser,
    ):
        context = await browser.visit()
        page = await context.new_page()
        await page.goto(playground.url)
        await page.get_by_label("Password").fill("wrong")
        await page.get_by_role("button", name="Enter").click()
        await expect(page.get_by_role("alert")).to_have_text("That is not the password.")
        await page.get_by_label("Password").fill("open sesame")
        await page.get_by_role("button", name="Enter").click()
        await expect(page.locator("#empty")).to_be_visible()
        again = await context.new_page()
        await again.goto(playground.url)
        await expect(again.locator("#empty")).to_be_visible()


async def test_the_printed_address_lets_in_and_the_bare_one_says_where_it_is(playground: Playground) -> None:
    """Somebody who types the address finds words, and one click on the printed address is enough from then on."""
    bare = str(URL(playground.url).origin())
    async with browsing(playground.url) as browser:
        context = await browser.visit()
        page = await context.new_page()
        await page.goto(bare)
        await expect(page.locator("main")).to_contain_text("Open its page by the address that it printed")
        await page.goto(playground.url)
        await expect(page.locator("#empty")).to_be_visible()
        assert "key" not in page.url
        await page.goto(bare)
        await expect(page.locator("#empty")).to_be_visible()
        await expect(page.locator("#logout")).to_be_hidden()


async def test_logging_in_and_out(make_config: MakeConfig) -> None:
    """A wrong password says so, the right one opens the page; logging out warns first, and leads back to the password."""
    async with (
        playing(make_config, playground_password="open sesame") as playground,
        browsing(playground.url) as browser,
    ):
        page = await (await browser.visit()).new_page()
        page.set_default_timeout(20_000)
        await page.goto(playground.url)
        for password in ("wrong", "open sesame"):
            await page.fill("#password", password)
            await page.keyboard.press("Enter")
            if password == "wrong":
                await expect(page.locator("[data-wrong]")).to_be_visible()
        await expect(page.locator("#empty")).to_be_visible()
        await page.click("#logout button")
        await expect(page.locator("#confirm-text")).to_contain_text("nobody can open them again")
        await page.click("#confirm [value=no]")
        await expect(page.locator("#empty")).to_be_visible()
        await page.click("#logout button")
        await page.click("#confirm [value=yes]")
        await expect(page.locator("#password")).to_be_visible()
        await page.goto(playground.url)
        await expect(page.locator("#password")).to_be_visible()
