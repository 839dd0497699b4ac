"""Those who are told of every event that is appended from now on."""

from __future__ import annotations

import logging
import threading

from calamity_lab.errors import ModelError
from calamity_lab.kernel.constants import ALL, StreamId
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.subscribers import raised

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
