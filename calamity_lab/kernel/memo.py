"""A memo: results worked out before, kept by the trace or the model that they are about.

Nothing is kept in a module: when a trace is let go, so is all that was worked out about it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """A kind of result, and how many of them a memo keeps: it forgets those not used for longest."""

    __slots__ = ("most",)

    def __init__(self, most: int = 64) -> None:
        self.most = most


class Memo:
    """Results by what they are about.

    ``about`` are objects that are compared by identity; the memo holds them, so that no other object gets the
    id of one of them. ``key`` is compared by value.
    """

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: dict[Slot[Any], OrderedDict[Hashable, tuple[tuple[object, ...], Any]]] = {}

    def once(self, slot: Slot[T], make: Callable[[], T], *about: object, key: Hashable = None) -> T:
        """The result that is kept, else the one that ``make`` works out now."""
        found = self.recall(slot, *about, key=key)
        return self.keep(slot, make(), *about, key=key) if found is None else found

    def recall(self, slot: Slot[T], *about: object, key: Hashable = None) -> T | None:
        """The result that is kept, None where there is none."""
        kept = self._kept.get(slot)
        whole = (key, *map(id, about))
        found = None if kept is None else kept.get(whole)
        if kept is None or found is None:
            return None
        with suppress(KeyError):  # another thread may have made room meanwhile
            kept.move_to_end(whole)
        result: T = found[1]
        return result

    def keep(self, slot: Slot[T], result: T, *about: object, key: Hashable = None) -> T:
        """Keep a result, and forget the one not used for longest where there are too many."""
        kept = self._kept.setdefault(slot, OrderedDict())
        whole = (key, *map(id, about))
        kept[whole] = (about, result)
        kept.move_to_end(whole)
        if len(kept) > slot.most:
            with suppress(KeyError):
                kept.popitem(last=False)
        return result

    def forget(self, slot: Slot[Any], *about: object, key: Hashable = None) -> None:
        """Keep a result no longer."""
        if slot in self._kept:
            self._kept[slot].pop((key, *map(id, about)), None)
