"""How a subscription waits for what is appended next."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable


class Waiting(ABC):
    """Waits until there may be something new; `wake` ends the wait from another thread."""

    def start(self) -> None:
        """Be told of everything that is appended from now on."""

    @abstractmethod
    def wait(self) -> None:
        """Return when there may be something new, or when a while has passed."""

    @abstractmethod
    def wake(self) -> None:
        """Let whoever waits look."""

    def close(self) -> None:
        """Wait no more."""


class Polling(Waiting):
    """Looks every few moments, and at once after an append in this process."""

    def __init__(self, seconds: float, forget: Callable[[Polling], None]) -> None:
        self._seconds = seconds
        self._forget = forget
        self._woken = threading.Event()

    def wait(self) -> None:
        self._woken.wait(self._seconds)
        self._woken.clear()

    def wake(self) -> None:
        self._woken.set()

    def close(self) -> None:
        self._forget(self)
