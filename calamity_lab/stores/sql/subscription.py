"""A reader that follows a stream: first what is there, then what is appended."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from calamity_lab.errors import CalamityError, StoreError, StoreUnavailable
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.subscribers import raised
from calamity_lab.stores.sql.waiting import Waiting

_log = logging.getLogger("calamity_lab")
_SOON, _LATER = 0.05, 2.0  # seconds between two attempts to reach a server that is gone


class Subscription:
    """Calls a subscriber with every event of a stream from a version (with ALL: a position) on, in order.

    Each event comes once, whoever appended it: what is there is read first, and between that and what is
    appended later there is neither gap nor double, since both are read by their place. ``position`` is the
    place of the last event that the subscriber took. ``error`` is what ended it: a subscriber that raised, or
    an event that cannot be read. A server that goes away does not end it; it goes on when there is one again.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[int], Iterable[RecordedEvent]],
        subscriber: Subscriber,
        waiting: Waiting,
        start: int,
        *,
        place: Callable[[RecordedEvent], int],
        ended: Callable[[Subscription], None],
    ) -> None:
        self.position = start - 1
        self.error: CalamityError | None = None
        self._name, self._read, self._subscriber, self._waiting = name, read, subscriber, waiting
        self._place, self._ended = place, ended
        self._moved = threading.Condition()
        self._closing = threading.Event()
        self._caught_up = False
        self._thread = threading.Thread(target=self._run, name=f"subscription to {name}", daemon=True)
        self._thread.start()

    @property
    def caught_up(self) -> bool:
        """Whether the subscriber has taken every event that was there at the last look."""
        return self._caught_up

    @property
    def running(self) -> bool:
        """Whether further events will come."""
        return self._thread.is_alive() and not self._closing.is_set() and self.error is None

    def wait_for(self, place: int, *, timeout: float | None = None) -> bool:
        """Wait until the subscriber has taken the event at that place: whether it has, in that time."""
        with self._moved:
            self._moved.wait_for(lambda: self.position >= place or not self.running, timeout)
            return self.position >= place

    def close(self) -> None:
        """Call the subscriber no more, and wait until a call that is under way has come to its end."""
        self._closing.set()
        if self._thread.is_alive():
            self._waiting.wake()
            if self._thread is not threading.current_thread():
                self._thread.join()
        self._ended(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = (
            "ended"
            if self.error
            else "closed"
            if self._closing.is_set()
            else "live"
            if self._caught_up
            else "behind"
        )
        return f"Subscription({self._name}, position={self.position}, {state})"

    def _run(self) -> None:
        try:
            self._follow()
        except CalamityError as error:
            self._stop(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told: there is nobody to raise it to
            told = StoreError(f"the subscription to {self._name} broke: {type(error).__name__}: {error}")
            told.__cause__ = error
            self._stop(told)
        finally:
            self._waiting.close()
            with self._moved:
                self._moved.notify_all()

    def _follow(self) -> None:
        pause = _SOON
        while not self._closing.is_set():
            try:
                self._waiting.start()
                while not self._closing.is_set():
                    self._read_on()
                    pause = _SOON
                    self._waiting.wait()
            except StoreUnavailable as error:
                if pause == _SOON:
                    _log.warning("the subscription to %s waits: %s", self._name, error)
                self._caught_up = False
                self._closing.wait(pause)
                pause = min(2 * pause, _LATER)

    def _read_on(self) -> None:
        for event in self._read(self.position + 1):
            if self._closing.is_set():
                return
            try:
                self._subscriber(event)
            except BaseException as error:
                raise raised(self._subscriber, event, error) from error
            with self._moved:
                self.position = self._place(event)
                self._moved.notify_all()
        self._caught_up = True

    def _stop(self, error: CalamityError) -> None:
        self._caught_up = False
        _log.error("%s; the subscription to %s has ended", error, self._name, exc_info=error)
        self.error = error
