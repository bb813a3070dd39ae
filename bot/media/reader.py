"""The process in which a reader of people's files runs: calls come in, results go out. `bot.media.apart` starts and ends it."""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
from typing import Any, BinaryIO

GRACE_S = 5.0
"""Whoever started it ends a job that is late; if that one is gone, the process ends itself this much later."""


def serve(requests: BinaryIO, answers: BinaryIO, memory_bytes: int, deadline_s: float) -> None:
    """Answer each pickled (function, args, kwargs) with (whether it went well, result or error), until no more come."""
    _be_modest(memory_bytes)
    _send(answers, True)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        while True:
            try:
                fn, args, kwargs = pickle.load(requests)
            except EOFError:
                return
            faulthandler.dump_traceback_later(deadline_s + GRACE_S, exit=True, file=nowhere)
            answer = _answered(fn, args, kwargs)
            faulthandler.cancel_dump_traceback_later()
            _send(answers, answer)
            del fn, args, kwargs, answer  # or the last file would stay in memory


def _answered(fn: Any, args: Any, kwargs: Any) -> tuple[bool, Any]:
    try:
        return True, fn(*args, **kwargs)
    except Exception as error:  # the edge of the process: it is raised on the other side
        return False, error


def _send(answers: BinaryIO, answer: Any) -> None:
    answers.write(_pickled(answer))
    answers.flush()


def _pickled(answer: Any) -> bytes:
    try:
        return pickle.dumps(answer, protocol=5)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        return pickle.dumps((False, RuntimeError(f"an answer that cannot be sent: {error}")))


def _be_modest(memory_bytes: int) -> None:
    """Bounded in memory where the system can, after others in time, and deaf to Ctrl-C, which is for whoever started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource

        os.nice(5)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        soft = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
        try:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        except (OSError, ValueError):  # macOS knows the limit but does not hold it
            return


def main() -> None:
    """The process's own output is the pipe; whatever a library prints goes to the log."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers, int(sys.argv[1]), float(sys.argv[2]))


if __name__ == "__main__":
    main()
