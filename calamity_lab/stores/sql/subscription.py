"""A reader that follows a stream: first what is there, then what is appended."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

from calamity_lab.errors import CalamityError, ModelError, StoreError, StoreUnavailable
from calamity_lab.kernel.constants import ALL, StreamId
from calamity_lab.kernel.event_store import raised
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import RecordedEvent


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


_log = logging.getLogger("calamity_lab")


class Subscribers:
    """Subscribers by stream, told in the order in which an in-memory store tells its own.

    One that subscribed to a stream and to all of them is told once; one that raises is told no more.
    """

    def __init__(self, errors: list[ModelError] | None = None) -> None:
        self.errors: list[ModelError] = [] if errors is None else errors
        self._known: list[tuple[StreamId, Subscriber, int]] = []
        self._lock = threading.Lock()

    def add(self, stream_id: StreamId, subscriber: Subscriber, position: int) -> None:
        """Tell the subscriber what comes to the stream after a position."""
        with self._lock:
            self._known.append((stream_id, subscriber, position))

    def tell(self, event: RecordedEvent) -> None:
        """Call everybody whom the event concerns, those first who asked for its stream alone."""
        for subscriber in self._concerned(event):
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - it is logged and kept, and the others are told
                self._remove(subscriber)
                told = raised(subscriber, event, error)
                told.__cause__ = error
                self.errors.append(told)
                _log.error("%s; it is told no more", told, exc_info=error)

    def _concerned(self, event: RecordedEvent) -> list[Subscriber]:
        concerned: list[Subscriber] = []
        for wanted in (event.stream_id, ALL):
            for stream_id, subscriber, position in tuple(self._known):
                if stream_id == wanted and event.position > position and subscriber not in concerned:
                    concerned.append(subscriber)
        return concerned

    def _remove(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._known = [known for known in self._known if known[1] != subscriber]


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
