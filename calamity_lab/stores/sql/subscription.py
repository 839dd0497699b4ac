"""`Subscription`: calls a subscriber with the events of a stream, first the old ones, then the new ones."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable

from calamity_lab.errors import CalamityError, ModelError, StoreError, StoreUnavailable, repr_of
from calamity_lab.kernel.event_store import Closable, raised
from calamity_lab.kernel.protocols import ALL, Category, StreamId, Subscriber
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.stores.sql.checkpoints import Claim
from calamity_lab.stores.sql.database import Waiting


class Subscribers:
    """The subscribers of a store, called in the order in which an in-memory store calls its own.

    One that subscribed to a stream and to ALL is called once per event. One that raises is not called again.
    """

    def __init__(self, errors: list[ModelError] | None = None) -> None:
        self.errors: list[ModelError] = [] if errors is None else errors
        self._known: list[tuple[StreamId | Category | None, Subscriber, int]] = []
        self._lock = threading.Lock()

    def add(self, stream_id: StreamId | Category, subscriber: Subscriber, position: int) -> None:
        """Call the subscriber for each event of the stream behind a position."""
        with self._lock:
            self._known.append((stream_id, subscriber, position))

    def notify(self, event: RecordedEvent) -> None:
        """Call the subscribers of the event's stream, then those of ALL."""
        for subscriber in self._interested_in(event):
            try:
                subscriber(event)
            except Exception as error:  # noqa: BLE001 - it is logged and kept, and the others are called
                self._remove(subscriber)
                failure = raised(subscriber, event, error)
                failure.__cause__ = error
                self.errors.append(failure)
                _log.error("%s; it is not called again", failure, exc_info=error)

    def _interested_in(self, event: RecordedEvent) -> list[Subscriber]:
        found: list[Subscriber] = []
        for wanted in (event.stream_id, Category.of(event.stream_id), ALL):
            for stream_id, subscriber, position in tuple(self._known):
                if stream_id == wanted and event.position > position and subscriber not in found:
                    found.append(subscriber)
        return found

    def _remove(self, subscriber: Subscriber) -> None:
        with self._lock:
            self._known = [known for known in self._known if known[1] != subscriber]


_log = logging.getLogger("calamity_lab")
_SOON, _LATER = 0.05, 2.0  # seconds between two attempts to reach a server that is gone


class Subscription(Closable):
    """Calls a subscriber once for each event of a stream from a version (with ALL: a position) on, in order.

    It reads the old events first and the new ones later, both by version or position, so that none is missing
    and none comes twice. ``position`` is the version or position of the last event that the subscriber took.
    ``error`` is the error that ended the subscription: the subscriber raised, or an event cannot be read.
    A subscription with a name acknowledges each event when the subscriber has returned. ``head`` gives the
    position up to which the next look reads, where that is not the last event that it finds.
    When the server goes away, the subscription waits and goes on when the server is back.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[int], Iterable[RecordedEvent]],
        subscriber: Subscriber,
        waiting: Waiting,
        start: int,
        *,
        number_of: Callable[[RecordedEvent], int],
        ended: Callable[[Subscription], None],
        head: Callable[[], int] | None = None,
        claim: Claim | None = None,
    ) -> None:
        self.position = start - 1
        self.error: CalamityError | None = None
        self._name, self._read, self._subscriber, self._waiting = name, read, subscriber, waiting
        self._number_of, self._ended = number_of, ended
        self._process = os.getpid()
        self._head, self._claim = head, claim
        self._moved = threading.Condition()
        self._closing = threading.Event()
        self._caught_up = False
        self._thread = threading.Thread(target=self._run, name=f"subscription to {name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str | None:
        """The name under which the database keeps how far the subscription has come; None without one."""
        return None if self._claim is None else self._claim.name

    @property
    def caught_up(self) -> bool:
        """Whether the subscriber has taken all events that the last look found."""
        return self._caught_up

    @property
    def running(self) -> bool:
        """Whether the subscriber will be called again."""
        return self._thread.is_alive() and not self._closing.is_set() and self.error is None

    def wait_for(self, position: int, *, timeout: float | None = None) -> bool:
        """Wait until the subscriber has taken the event at a position; return whether it has."""
        if self._is_inherited:
            raise StoreError(
                f"the subscription to {self._name} runs in process {self._process}, and this is process "
                f"{os.getpid()}, a fork of it: nothing moves it here. Open a new store in this process, and "
                "subscribe there"
            )
        with self._moved:
            self._moved.wait_for(lambda: self.position >= position or not self.running, timeout)
            return self.position >= position

    def close(self) -> None:
        """End the subscription; a call of the subscriber that has begun is waited for.

        In a process that was forked from the one that subscribed this does nothing.
        """
        if self._is_inherited:
            return
        self._closing.set()
        if self._thread.is_alive():
            self._waiting.wake()
            if self._thread is not threading.current_thread():
                self._thread.join()
        self._ended(self)

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
        return f"Subscription({self._name}, position={repr_of(self.position)}, {state})"

    @property
    def _is_inherited(self) -> bool:
        return self._process != os.getpid()

    def _run(self) -> None:
        try:
            self._follow()
        except CalamityError as error:
            self._stop(error)
        except Exception as error:  # noqa: BLE001 - nobody is there to catch it, so it is kept in error
            failure = StoreError(f"the subscription to {self._name} broke: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._stop(failure)
        finally:
            self._waiting.close()
            if self._claim is not None:
                self._claim.release()
            with self._moved:
                self._moved.notify_all()

    def _follow(self) -> None:
        pause = _SOON
        while not self._closing.is_set():
            try:
                self._waiting.start()
                while not self._closing.is_set():
                    if self._read_on():
                        pause = _SOON
                        self._waiting.wait()
            except StoreUnavailable as error:
                if pause == _SOON:
                    _log.warning("the subscription to %s waits: %s", self._name, error)
                self._caught_up = False
                self._closing.wait(pause)
                pause = min(2 * pause, _LATER)

    def _read_on(self) -> bool:
        """Call the subscriber with what is there; return whether that was all."""
        claim = self._claim
        if claim is not None and claim.position != claim.look():
            self._go_to(claim.position)  # it was moved by hand
        head = 0 if self._head is None else self._head()
        for event in self._read(self.position + 1):
            if self._closing.is_set():
                return False
            try:
                self._subscriber(event)
            except BaseException as error:
                raise raised(self._subscriber, event, error) from error
            number = self._number_of(event)
            reached = number if claim is None else claim.acknowledge(number)
            self._go_to(reached)
            if reached != number:
                return False
        if head > self.position:
            self._go_to(head)
        self._caught_up = True
        return True

    def _go_to(self, position: int) -> None:
        with self._moved:
            self.position = position
            self._moved.notify_all()

    def _stop(self, error: CalamityError) -> None:
        self._caught_up = False
        _log.error("%s; the subscription to %s has ended", error, self._name, exc_info=error)
        self.error = error
