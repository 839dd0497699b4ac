"""Muted output: what a model prints, warns and logs while it is asked again, or ahead, is thrown away.

A kernel may answer widgets in one thread while a cell runs in another; the output of the cell is kept.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Lock, get_ident
from typing import Any

_lock = Lock()
if hasattr(os, "register_at_fork"):  # no other thread may hold it in a child, where that thread is not
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
# How many muted blocks each thread is in; a muted block may contain another.
_asking: Counter[int] = Counter()
_undo: list[Callable[[], None]] = []
_log = logging.getLogger("calamity_lab")


class _MutedStream:
    """Standard output that drops what muted threads print."""

    def __init__(self, output: Any) -> None:
        self.output = output

    def write(self, text: str) -> int:
        return len(text) if get_ident() in _asking else int(self.output.write(text))

    def flush(self) -> None:
        self.output.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)


class _Muted:
    """The block of `muted_output`: it may be entered again in itself, and by several threads at once."""

    def __enter__(self) -> None:
        thread = get_ident()
        with _lock:
            if not _asking:
                _begin()
            _asking[thread] += 1

    def __exit__(self, *_: object) -> None:
        thread = get_ident()
        with _lock:
            _asking[thread] -= 1
            if not _asking[thread]:
                del _asking[thread]
            if not _asking:
                while _undo:
                    _undo.pop()()


_muted = _Muted()


def muted_output() -> AbstractContextManager[None]:
    """Drop what this thread prints, warns and logs in the block: nothing in it is part of the run."""
    return _muted


def _begin() -> None:
    """Replace standard output once for all threads: two threads that both replace it could not restore it."""
    # To leave the block lets Python show again what it has shown, so that a warning here is no warning less.
    before = warnings.catch_warnings()
    before.__enter__()
    warn, show = warnings.warn, warnings.showwarning

    def warned(
        message: Any, category: Any = None, stacklevel: int = 1, source: Any = None, **more: Any
    ) -> None:
        if get_ident() not in _asking:
            warn(message, category, stacklevel + 1, source, **more)

    def shown(*warning: Any, **details: Any) -> None:
        if get_ident() not in _asking:
            show(*warning, **details)

    def restore() -> None:
        warnings.warn = warn
        before.__exit__(None, None, None)
        _log.removeFilter(_is_heard)

    _undo.append(restore)
    warnings.warn, warnings.showwarning = warned, shown
    _log.addFilter(_is_heard)
    output = sys.stdout
    if not isinstance(output, _MutedStream):
        sys.stdout = stream = _MutedStream(output)
        _undo.append(lambda: _put_back(stream))


def _is_heard(record: logging.LogRecord) -> bool:
    """Whether a record was logged outside the muted blocks; records are logged in the thread that asks."""
    return record.thread not in _asking


def _put_back(stream: _MutedStream) -> None:
    # A cell may have replaced it meanwhile; what the cell restores later is not muted any more.
    if sys.stdout is stream:
        sys.stdout = stream.output
