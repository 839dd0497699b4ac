"""What was put lately, by name."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

V = TypeVar("V")


class Latest(Generic[V]):
    """So many values, by name, for several threads; those that were put first go when more are put."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._values: OrderedDict[object, V] = OrderedDict()
        self._lock = Lock()

    def get(self, name: object) -> V | None:
        """The value under that name, while it is kept."""
        return self._values.get(name)

    def put(self, name: object, value: V) -> None:
        """Keep the value under that name, instead of another."""
        with self._lock:
            self._values[name] = value
            self._values.move_to_end(name)
            if len(self._values) > self._count:
                self._values.popitem(last=False)

    def pop(self, name: object) -> V | None:
        """The value under that name, which is not kept any longer."""
        with self._lock:
            return self._values.pop(name, None)
