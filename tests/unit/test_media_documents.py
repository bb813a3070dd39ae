"""Documents to text, with a word about all that was left out."""

from __future__ import annotations

import datetime
import io
import json
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pptx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter

from bot.errors import UnreadableError
from bot.media import documents, pdfs
from bot.media.documents import Document, decode_text, read
from tests import making


def saved(made: Any) -> bytes:
    """What a library writes to a file."""
    buffer = io.BytesIO()
    (made.write if isinstance(made, PdfWriter) else made.save)(buffer)
    return buffer.getvalue()


def zipped(members: Mapping[str, bytes | str]) -> bytes:
    """An archive of these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def rezipped(data: bytes, member: str, content: bytes) -> bytes:
    """The archive with another content of one member."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return zipped({name: archive.read(name) for name in archive.namelist()} | {member: content})


def refused(data: bytes, name: str, **options: Any) -> str:
    """What the person is told."""
    with pytest.raises(UnreadableError) as found:
        read(data, name, **options)
    return found.value.text


# PDF


def pdf_of(*pages: bytes) -> PdfWriter:
    """The pages of these files as one."""
    writer = PdfWriter()
    for data in pages:
        writer.append(PdfReader(io.BytesIO(data)))
    return writer


def scan(text: str = "SCANNED") -> bytes:
    """A page that is a picture."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(making.picture(text))).save(buffer, "PDF")
    return buffer.getvalue()


def test_a_pdf_is_read_page_by_page() -> None:
    """Each page after its number, with the title."""
    writer = pdf_of(making.pdf("First words."), making.pdf("Second words."))
    writer.add_metadata({"/Title": "Two pages"})
    found = read(saved(writer), "a.pdf")
    assert found == Document("[page 1]\nFirst words.\n\n[page 2]\nSecond words.", "Two pages", 2, kind="pdf")


def test_a_scan_gives_its_pictures() -> None:
    """So that a text reader can read them; what came of it is for the reader's caller to say."""
    found = read(saved(pdf_of(scan(), scan())), "scan.pdf")
    assert (found.text, found.pages, found.notes) == ("", 2, ())
    assert [Image.open(io.BytesIO(picture)).size for picture in found.page_images] == [(320, 200)] * 2
    assert len(read(saved(pdf_of(*[scan()] * 12)), "scan.pdf").page_images) == 10


def test_a_pdf_with_some_scanned_pages_gives_both() -> None:
    """The text is read and the pictures are given too."""
    found = read(saved(pdf_of(making.pdf("Words."), scan())), "mixed.pdf")
    assert (found.text, len(found.page_images)) == ("[page 1]\nWords.", 1)
    assert found.notes == ()


def test_a_pdf_is_locked_only_when_a_password_is_needed() -> None:
    """One that may be read but not changed is read."""
    assert "mine.pdf is locked with a password. Please send a copy without one" in refused(
        making.pdf(password="secret"), "mine.pdf"
    )
    writer = pdf_of(making.pdf("Free to read."))
    writer.encrypt("", "owner", algorithm="AES-256")
    assert "Free to read." in read(saved(writer), "a.pdf").text


def test_a_long_pdf_is_cut_early() -> None:
    """Pages beyond the limit are not even looked at."""
    found = read(saved(pdf_of(*[making.pdf("Words " * 20)] * 30)), "a.pdf", max_chars=500)
    assert (len(found.text), found.truncated, found.pages) == (500, True, 30)


# Office


def test_a_word_document_keeps_its_order() -> None:
    """Headings, lists, paragraphs and tables, and a word about its pictures."""
    document = docx.Document()
    document.core_properties.title = "Plan"
    document.add_heading("Goals", 2)
    document.add_paragraph("First things first.")
    document.add_paragraph("milk", "List Bullet")
    table = document.add_table(2, 2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["a", "b|c", "1", "2\n3"], strict=True):
        cell.text = text
    document.add_paragraph("The end.")
    document.add_picture(io.BytesIO(making.picture()))
    found = read(saved(document), "plan.docx")
    table_text = "| a | b\\|c |\n|---|---|\n| 1 | 2 3 |"
    assert found.text == f"## Goals\n\nFirst things first.\n\n- milk\n\n{table_text}\n\nThe end."
    assert (found.title, found.kind, found.notes[0].startswith("plan.docx holds a picture")) == ("Plan", "docx", True)


def test_a_spreadsheet_is_read_sheet_by_sheet() -> None:
    """Values, dates, gaps and formulas as they were last worked out."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Prices"
    for row in (["item", "price", "day"], ["tea", 3.5, datetime.date(2026, 1, 2)], [], ["all", None, True]):
        sheet.append(row)
    book.create_sheet("Empty")
    found = read(saved(book), "a.xlsx")
    rows = "| item | price | day |\n|---|---|---|\n| tea | 3.5 | 2026-01-02 |\n| all |  | True |"
    assert found == Document(f"## Prices\n\n{rows}\n\n## Empty", kind="xlsx")


def test_formulas_show_their_values() -> None:
    """As the program that saved the file left them."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "=1+1"
    data = saved(book)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    worked_out = sheet.replace(b"<v></v>", b"<v>2</v>").replace(b"<v />", b"<v>2</v>").replace(b"<v/>", b"<v>2</v>")
    assert worked_out != sheet
    assert "| 2 |" in read(rezipped(data, "xl/worksheets/sheet1.xml", worked_out), "a.xlsx").text


def test_a_huge_spreadsheet_is_cut_with_a_note() -> None:
    """In time, with the number of rows that were read."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Log")
    for number in range(3_000):
        sheet.append([number, "a line of the log"])
    found = read(saved(book), "log.xlsx", max_chars=5_000)
    assert found.truncated
    assert len(found.text) <= 5_000
    assert "log.xlsx: of the sheet Log only the first" in found.notes[0]


def test_a_spreadsheet_that_claims_a_million_columns_is_read() -> None:
    """A cell in the last corner costs no time."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"], book.active["XFD1048576"] = "here", "far"
    started = time.perf_counter()
    assert "here" in read(saved(book), "a.xlsx").text
    assert time.perf_counter() - started < 10


def test_slides_are_read_with_their_notes() -> None:
    """Titles, texts in groups, tables and what the speaker meant to say."""
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Results"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, 99, 99).text_frame.text = "in a group"
    slide.shapes.add_table(1, 2, 0, 0, 99, 99).table.cell(0, 1).text = "cell"
    slide.shapes.add_picture(io.BytesIO(making.picture()), 0, 0)
    slide.notes_slide.notes_text_frame.text = "smile"
    deck.slides.add_slide(deck.slide_layouts[6])
    found = read(saved(deck), "a.pptx")
    assert found.text.startswith("[slide 1]\nResults\nin a group\n")
    assert "cell |" in found.text
    assert "Notes: smile" in found.text
    assert (found.pages, found.kind, "a picture" in found.notes[0]) == (2, "pptx", True)


BILLION = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "haha">%s]>""" % b"".join(
    b'<!ENTITY %c "%s">' % (98 + level, b"&%c;" % (97 + level) * 10) for level in range(9)
)
STOLEN = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY j SYSTEM "file:///etc/hostname">]>"""


@pytest.mark.parametrize("declared", [BILLION, STOLEN], ids=["billion laughs", "a file of the machine"])
@pytest.mark.parametrize(
    ("data", "member", "anchor"),
    [
        (making.word("ANCHOR"), "word/document.xml", b"ANCHOR"),
        (making.sheet(), "xl/worksheets/sheet1.xml", b"item"),
        (making.sheet(), "xl/workbook.xml", b"Sheet"),
    ],
    ids=["word", "sheet", "workbook"],
)
def test_entities_are_harmless(data: bytes, member: str, anchor: bytes, declared: bytes) -> None:
    """They are neither multiplied nor fetched: the document is read without them, or refused."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        content = archive.read(member)
    body = content[content.index(b"?>") + 2 :] if content.startswith(b"<?xml") else content
    attack = rezipped(data, member, declared + body.replace(anchor, b"&j;", 1))
    started = time.perf_counter()
    try:
        text = read(attack, "attack.docx").text
    except UnreadableError as error:
        text = error.text
    host = Path("/etc/hostname")
    assert not host.exists() or not host.read_text().strip() or host.read_text().strip() not in text
    assert len(text) < 1_000
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("name", ["word.docx", "sheet.xlsx", "deck.pptx", "a.pdf"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_damaged_documents_end_clearly(name: str, data: st.DataObject) -> None:
    """Cut or garbled anywhere: text, or an error that names the file; nothing else, and no warning."""
    whole = DAMAGED[name]
    at = data.draw(st.integers(0, len(whole) - 1))
    garbled = whole[:at] + (whole[at + 7 :] if data.draw(st.booleans()) else b"")
    try:
        assert isinstance(read(garbled, name).text, str)
    except UnreadableError as error:
        assert name in error.text


DAMAGED = {
    "word.docx": making.word(),
    "sheet.xlsx": making.sheet(),
    "deck.pptx": saved(pptx.Presentation()),
    "a.pdf": making.pdf(),
}


# Hostile files: each small, and each would take minutes if it were believed


def in_time(data: bytes, name: str) -> Document:
    """What was read, within seconds."""
    started = time.perf_counter()
    found = read(data, name)
    assert time.perf_counter() - started < 5
    return found


def test_a_cell_that_claims_to_span_a_million_columns_is_one_cell() -> None:
    """A table of Word costs what is in it, and cells that span columns keep the columns under their heads."""
    document = docx.Document()
    table = document.add_table(2, 3)
    for cell, text in zip(table.rows[1].cells, "abc", strict=True):
        cell.text = text
    table.cell(0, 0).merge(table.cell(0, 1)).text = "both"
    table.cell(0, 2).text = "one"
    data = saved(document)
    assert in_time(data, "a.docx").text == "| both |  | one |\n|---|---|---|\n| a | b | c |"
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        body = archive.read("word/document.xml")
    hostile = body.replace(b'<w:gridSpan w:val="2"/>', b'<w:gridSpan w:val="100000000"/>')
    assert hostile != body
    assert "| both |" in in_time(rezipped(data, "word/document.xml", hostile), "a.docx").text


def test_a_long_word_document_is_cut_early() -> None:
    """Paragraphs beyond the limit are not even looked at."""
    document = docx.Document()
    for number in range(30):
        document.add_paragraph(f"{number} " + "words " * 20)
    found = read(saved(document), "a.docx", max_chars=500)
    assert (len(found.text), found.truncated) == (500, True)


def test_a_row_of_any_number_costs_no_time() -> None:
    """A sheet ends where spreadsheets end, whatever row the file claims."""
    data = making.sheet()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    hostile = sheet.replace(b"</sheetData>", b'<row r="2000000000"><c r="A2000000000"><v>9</v></c></row></sheetData>')
    assert hostile != sheet
    assert "| tea | 3.5 |" in in_time(rezipped(data, "xl/worksheets/sheet1.xml", hostile), "a.xlsx").text


@pytest.mark.parametrize("piece", ["<a ", "<!--", "<div>", "<![CDATA[", "<script></scrip", "<?x ", "&#x"])
def test_markup_without_end_is_read_at_once(piece: str) -> None:
    """A page's time grows with its length, however often a tag is begun."""
    assert "Hello" in in_time(f"<html><body><p>Hello</p>{piece * 100_000}".encode(), "a.html").text


def padded(data: bytes, member: str, body: bytes) -> bytes:
    """A document with another member in place of that one, beside 420 kB that do not compress."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry, body if entry.filename == member else old.read(entry))
        new.writestr("padding.bin", os.urandom(420_000))
    return out.getvalue()


@pytest.mark.parametrize(("count", "told"), [(4_000_000, "unpacks to"), (1_200_000, "larger than I can read")])
def test_padding_hides_no_bomb(count: int, told: str) -> None:
    """Millions of empty paragraphs are refused by their own ratio or by their number, whatever lies beside them."""
    whole = making.word()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        body = archive.read("word/document.xml").replace(b"<w:body>", b"<w:body>" + b"<w:p/>" * count)
    with pytest.raises(UnreadableError, match=told):
        read(padded(whole, "word/document.xml", body), "a.docx")


def test_a_very_long_page_is_cut() -> None:
    """Its beginning is read, which is said."""
    found = in_time(b"<html><body><p>Hello</p>" + b"<br>" * 1_500_000 + b"the end", "a.html")
    assert (found.text, found.truncated) == ("Hello", True)


def test_pages_that_take_long_are_left_out() -> None:
    """A PDF whose pages take seconds each is read as far as patience lasts, which is said."""
    data = saved(pdf_of(*[making.pdf("Words.")] * 3))
    found = pdfs.read_pages(data, "slow.pdf", 1_000, -1)
    assert (found.text, found.truncated, found.pages) == ("[page 1]\nWords.", True, 3)
    assert found.notes == ("slow.pdf is long: only the first 1 of its 3 pages were read.",)


def test_what_was_read_can_be_kept_and_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither NUL nor half a surrogate pair comes out of a document: no database and no request would take them."""
    assert read(b"words " * 12_000 + b"\0", "a.log").text.endswith("words \ufffd")
    monkeypatch.setattr(pdfs, "_text_of", lambda page: "half \ud83d")
    assert read(making.pdf(), "a.pdf").text == "[page 1]\nhalf \ufffd"


# Text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("naïve façade", "utf-8"),
        ("naïve façade", "utf-8-sig"),
        ("naïve façade", "utf-16"),
        ("naïve façade", "utf-16-le"),
        ("naïve façade", "utf-32"),
        ("café", "latin-1"),
        ("“Quotes” — it’s Windows", "cp1252"),
        ("Grüße aus München, schöne Straße", "cp1252"),
        ("Zażółć gęślą jaźń. Dzień dobry, jak się masz?", "cp1250"),
        ("Привет, как дела сегодня?", "cp1251"),
        ("今日は天気がいいですね。散歩に行きましょう", "shift_jis"),
        ("今天天气很好，我们去公园散步吧，然后回家吃饭。", "gb18030"),
        ("한국어 텍스트입니다. 안녕하세요", "euc_kr"),
        ("Ελληνικά κείμενο δοκιμή για όλους", "cp1253"),
    ],
)
def test_text_in_any_encoding_is_read(text: str, encoding: str) -> None:
    """With and without marks, of many alphabets."""
    assert read(text.encode(encoding), "a.txt").text == text


@given(st.binary(max_size=400))
def test_any_bytes_decode(data: bytes) -> None:
    """Something comes out, with one kind of line end."""
    assert "\r" not in decode_text(data)


def test_a_few_broken_bytes_leave_the_rest() -> None:
    """A log in UTF-8 with one bad byte is still UTF-8."""
    assert read("größer\n".encode() * 20 + b"\xff\n", "a.log").text.count("größer") == 20


def test_source_and_json_come_as_they_are() -> None:
    """Models read both."""
    assert read(b"def f():\r\n\treturn 1\r\n", "a.py").text == "def f():\n\treturn 1\n"
    assert json.loads(read(json.dumps({"a": [1, "ü"]}).encode(), "a.json").text) == {"a": [1, "ü"]}


def test_long_text_is_cut() -> None:
    """At the limit, and it is said."""
    found = read(b"word " * 200_000, "a.txt")
    assert (len(found.text), found.truncated, found.whole_chars) == (400_000, True, 1_000_000)


def test_one_file_is_one_file() -> None:
    """Counts are in words as a person says them."""
    bomb = zipped({"a.txt": b"\0" * 400_000_000})
    with pytest.raises(UnreadableError, match=r"unpacks to \d+ MB in 1 file, which"):
        read(bomb, "bomb.zip")
    assert read(zipped({"a.bin": bytes(range(256))}), "a.zip").notes == (
        "The file in a.zip is known by name only: it is no text, or too large.",
    )


def test_a_long_table_is_cut_between_rows() -> None:
    """With the number of rows that were read."""
    found = read(b"id,name\n" + b"1,someone\n" * 1_000, "people.csv", max_chars=1_000)
    assert found.text.endswith("1,someone\n")
    assert found.notes == ("people.csv: only the first 100 of 1,001 rows were read.",)
    assert read(b"a\tb\n1\t2\n", "a.tsv").text == "a\tb\n1\t2\n"


def test_a_web_page_is_read_without_its_machinery() -> None:
    """Headings, lists, tables and code stay; scripts and styles go."""
    page = b"""<!DOCTYPE html><html><head><title> A
      page </title><style>p {}</style></head><body><script>var x = "<p>no</p>";</script>
      <h1>Head &amp; foot</h1><p>Some <b>bold</b>
      words.</p><ul><li>one<li>two</ul><table><tr><th>a<th>b<tr><td>1<td>2</table><pre>x\n  y</pre><img alt="a cat"></body>"""
    found = read(page, "a.html")
    assert (found.title, found.kind) == ("A page", "html")
    assert found.text == "# Head & foot\n\nSome bold words.\n\n- one\n- two\n\n| a | b\n| 1 | 2\n\nx\n  y\n\n[a cat]"


# Archives


def test_an_archive_is_listed_and_its_texts_are_read() -> None:
    """Small texts with their names; archives in it and binaries by name, which is said."""
    data = zipped({"src/a.py": "print(1)", "b.bin": bytes(range(256)), "inner.zip": zipped({"deep.txt": "hidden"})})
    found = read(data, "all.zip")
    assert "all.zip holds 3 files:" in found.text
    assert "## src/a.py\n\nprint(1)" in found.text
    assert "inner.zip (" in found.text
    assert "an archive, not opened" in found.text
    assert "hidden" not in found.text
    assert found.notes == ("Of the 3 files in all.zip, 2 are known by name only: no text, too large or too many.",)


def test_names_in_an_archive_are_plain() -> None:
    """No name writes to a terminal or outside of a folder, since nothing is unpacked to one."""
    found = read(zipped({"../../up\x1b[2J\n.txt": "words"}), "a.zip")
    assert "\x1b" not in found.text
    assert "../../up" in found.text


def test_locked_archives_are_listed() -> None:
    """Their names can be read, their contents cannot."""
    data = bytearray(zipped({"a.txt": "words", "b.txt": "more"}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    found = read(bytes(data), "a.zip")
    assert "- a.txt" in found.text
    assert "## b.txt" in found.text
    assert "locked with a password" in found.notes[0]


def test_archives_are_cut() -> None:
    """At the characters that are wanted."""
    found = read(zipped({f"{number}.txt": "word " * 100 for number in range(60)}), "a.zip", max_chars=3_000)
    assert (len(found.text), found.truncated) == (3_000, True)


# What is refused


def lied_about() -> bytes:
    """An archive whose directory says a member is small, though it is not."""
    data = bytearray(zipped({"a.txt": b"\0" * 30_000_000}))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = (100).to_bytes(4, "little")
    return bytes(data)


def test_an_archive_that_lies_about_its_size_is_not_unpacked() -> None:
    """No more is unpacked than the directory says."""
    assert len(read(lied_about(), "a.zip").text) < 1_000


@pytest.mark.parametrize(
    ("data", "name", "words"),
    [
        (b"", "empty.txt", "empty.txt is empty (0 bytes)"),
        (bytes(range(200)) * 10, "a.bin", "I can't read a.bin. I can read PDF, Word"),
        (making.bomb_archive(), "bomb.zip", "bomb.zip unpacks to 381 MB"),
        (zipped({"word/document.xml": b" " * 30_000_000}), "bomb.docx", "bomb.docx unpacks to 28 MB"),
        (zipped({f"{number}": "" for number in range(10_001)}), "many.zip", "lists 10001 files"),
        (b"PK\x03\x04 and then nothing", "broken.zip", "broken.zip is damaged"),
        (b"%PDF-1.7 and then nothing", "broken.pdf", "broken.pdf is damaged"),
        (making.word()[:2_000], "cut.docx", "cut.docx is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "old.doc", "Please save it as .docx"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
            "mine.xlsx",
            "mine.xlsx is locked with a password",
        ),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "a.7z", "I can't read a.7z"),
        (making.picture(), "notes.txt", "I can't read notes.txt"),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value and " " not in value else "",
)
def test_what_cannot_be_read_is_said(data: bytes, name: str, words: str) -> None:
    """The file is named, with what is wrong or what to do."""
    assert words in refused(data, name)


def test_a_file_without_a_name_is_named_somehow() -> None:
    """No text begins with nothing."""
    assert refused(b"", "") == "The file is empty (0 bytes)."
    assert documents.MAX_CHARS == 400_000
