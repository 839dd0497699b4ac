"""What a model prints and warns of while it is asked about what has not happened: nobody hears it.

A kernel may answer widgets in one thread while a cell runs in another, and the cell is heard.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock, get_ident
from typing import Any

_lock = Lock()
# The threads in which something is asked now, each as often as it asks within an answer.
_asking: Counter[int] = Counter()
_asked = ExitStack()


class _Heard:
    """Standard output without what is printed where something is asked."""

    def __init__(self, output: Any) -> None:
        self.output = output

    def write(self, text: str) -> int:
        return len(text) if get_ident() in _asking else int(self.output.write(text))

    def flush(self) -> None:
        self.output.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.output, name)


@contextmanager
def muted_output() -> Iterator[None]:
    """What is printed and warned of belongs to what happens, and nothing happens in here."""
    thread = get_ident()
    with _lock:
        if not _asking:
            _begin()
        _asking[thread] += 1
    try:
        yield
    finally:
        with _lock:
            _asking[thread] -= 1
            if not _asking[thread]:
                del _asking[thread]
            if not _asking:
                _asked.close()


def _begin() -> None:
    """Put together for all threads: what two replace at a time, neither could put back."""
    _asked.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
    output = sys.stdout
    if not isinstance(output, _Heard):
        sys.stdout = heard = _Heard(output)
        _asked.callback(_put_back, heard)


def _put_back(heard: _Heard) -> None:
    # A cell may have put something else there meanwhile; what it puts back then lets everything through.
    if sys.stdout is heard:
        sys.stdout = heard.output
