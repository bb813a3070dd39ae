"""Names for the files of an answer: equal each time, so that a repeat finds what it uploaded before."""

from __future__ import annotations

import re

from bot.types import Audio, File, Image

EXTENSIONS = {
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/ogg": "ogg",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "image/jpeg": "jpg",
    "image/svg+xml": "svg",
    "text/markdown": "md",
    "text/plain": "txt",
}
"""Where a file's extension is not the second half of its MIME type."""
CODE_EXTENSIONS = {
    "bash": "sh",
    "c++": "cpp",
    "csharp": "cs",
    "javascript": "js",
    "kotlin": "kt",
    "markdown": "md",
    "plaintext": "txt",
    "python": "py",
    "ruby": "rb",
    "rust": "rs",
    "shell": "sh",
    "text": "txt",
    "typescript": "ts",
    "yaml": "yml",
}
"""Where a file's extension is not the language's name in a code fence."""
_SUBTYPE = re.compile(r"[a-z0-9]{1,12}")
_LANGUAGE = re.compile(r"[a-z0-9]{1,8}")


def upload_name(part: Image | Audio | File) -> str:
    """A document's own name, or one made from the content: "picture-0123abcd.png"."""
    if isinstance(part, File) and part.name:
        return part.name
    kind = "answer" if isinstance(part, Audio) else "picture" if isinstance(part, Image) else "file"
    return f"{kind}-{part.blob.sha256[:8]}.{extension_of(part.blob.mime_type)}"


def extension_of(mime_type: str) -> str:
    """The extension of files of this type, without a dot; "bin" when the type tells none."""
    mime_type = mime_type.partition(";")[0].strip().lower()
    subtype = mime_type.rpartition("/")[2].partition("+")[0]
    return EXTENSIONS.get(mime_type) or (subtype if _SUBTYPE.fullmatch(subtype) else "bin")


def code_extension(language: str) -> str:
    """The extension for code in the language that a fence names, without a dot; "txt" when it names none that we know."""
    name = language.strip().lower()
    return CODE_EXTENSIONS.get(name) or (name if _LANGUAGE.fullmatch(name) else "txt")
