"""What happens to open databases when their process is forked: they stay with the process that opened them.

SQLite keeps in each process what that process has locked. The child of a fork has a copy of this, but none of
the locks: another process that closes the file then deletes the log into which the child writes. So all
connections to files are closed just before a fork, and opened again when they are next needed.
"""

from __future__ import annotations

import os
import threading
from typing import Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """An open database, as a fork sees it."""

    def before_fork(self) -> None:
        """Close what a child must not have; another thread that uses it is waited for."""
        ...

    def after_fork(self) -> None:
        """Go on in the parent."""
        ...


_open: WeakSet[Forkable] = WeakSet()
_lock = threading.RLock()
_watching = False
_inherited: list[Forkable] = []


def watch(database: Forkable) -> None:
    """Tell the database about each fork of this process from now on."""
    global _watching
    with _lock:
        if not _watching:
            os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
            _watching = True
        _open.add(database)


def inherited() -> tuple[Forkable, ...]:
    """The databases that a parent of this process had open; they are kept, because closing them does harm."""
    return tuple(_inherited)


def _before() -> None:
    _lock.acquire()  # no database is opened while the process forks
    for database in tuple(_open):
        database.before_fork()


def _in_parent() -> None:
    for database in tuple(_open):
        database.after_fork()
    _lock.release()


def _in_child() -> None:
    global _lock
    _lock = threading.RLock()  # a thread that the child does not have may hold the other one
    _inherited.extend(_open)
    _open.clear()
