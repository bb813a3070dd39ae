"""The process in which a reader of people's files runs: calls come in, results go out. `bot.media.apart` starts and ends it.

It opens bytes that strangers made to take it over, so it gives up all it does not need before it reads any: see `jail`.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from typing import Any, BinaryIO

from bot.errors import UnreadableError
from bot.media import jail, wire

GRACE_S = 5.0
"""Whoever started it ends a job that is late; if that one is gone, the process ends itself this much later."""
MAX_REQUEST_BYTES = 4 * 2**30
NICENESS = 10
"""Steps below the process that answers. Source: POSIX, nice."""


def serve(requests: BinaryIO, answers: BinaryIO, memory_bytes: int, deadline_s: float) -> None:
    """Answer each [function's name, args, kwargs] with its result or its error, until no more come."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        step_back()
        jail.enter(memory_bytes)
        wire.send(answers, True)
        for output in (
            1,
            2,
        ):  # what a library says of a stranger's file is the stranger's text: it would forge lines of the log
            os.dup2(nowhere.fileno(), output)
        while True:
            try:
                name, args, kwargs = wire.receive(requests, max_blob_bytes=MAX_REQUEST_BYTES)
            except EOFError:
                return
            faulthandler.dump_traceback_later(deadline_s + GRACE_S, exit=True, file=nowhere)
            jail.allow_processor(deadline_s + GRACE_S)
            answer = _answered(name, args, kwargs)
            faulthandler.cancel_dump_traceback_later()
            _send(answers, answer)
            del args, kwargs, answer  # or the last file would stay in memory


def step_back() -> None:
    """Let conversations have the processor before files: a crowd of large ones slows down nobody who types."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def _answered(name: str, args: Any, kwargs: Any) -> dict[str, Any]:
    try:
        return {"result": wire.function(name)(*args, **kwargs)}
    except UnreadableError as error:
        return {"error": "unreadable", "text": error.text, "detail": error.detail}
    except MemoryError:
        return {"error": "memory"}
    except Exception as error:  # the edge of the process: it is raised on the other side
        return {"error": "fault", "text": f"{type(error).__name__}: {error}"}


def _send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    try:
        wire.send(answers, answer)
    except MemoryError:
        wire.send(answers, {"error": "memory"})
    except TypeError as error:
        wire.send(answers, {"error": "fault", "text": f"an answer that cannot be sent: {error}"})


def main() -> None:
    """The process's own output is the pipe; what is printed until it is ready goes to the log, and nothing after that."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, int(sys.argv[1]), float(sys.argv[2]))


if __name__ == "__main__":
    main()
