"""Silence for parsers: their warnings about a person's file are of no use to anybody, and must not end in a log or a crash."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_inside: list[object] = []
_saved: list[warnings.catch_warnings[None]] = []


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore warnings inside. Their filters are the process's, so the first thread in sets them and the last one out resets."""
    mark = object()
    with _lock:
        if not _inside:
            _saved.append(warnings.catch_warnings())
            _saved[-1].__enter__()
            warnings.simplefilter("ignore")
        _inside.append(mark)
    try:
        yield
    finally:
        with _lock:
            _inside.remove(mark)
            if not _inside:
                _saved.pop().__exit__(None, None, None)
