"""How a subscription is told of what others append in PostgreSQL: LISTEN and NOTIFY."""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Any

from sqlalchemy import Engine

from calamity_lab.stores.sql.driver_errors import driver_errors, translated
from calamity_lab.stores.sql.postgres_statements import CHANNEL
from calamity_lab.stores.sql.urls import shown
from calamity_lab.stores.sql.waiting import Waiting

_LISTEN = f"LISTEN {CHANNEL}"
# A standby server tells nobody of what reaches it, so there it is looked from time to time, and that is all.
_ON_A_STANDBY = "25006"


class Listening(Waiting):
    """Waits for a notification on a connection of its own; looks from time to time in any case.

    The connection is used for nothing else, so a notification that comes while the events before it are still
    being read stays there, and is found by the next wait.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine = engine
        self._where = repr(shown(engine.url))
        self._seconds = seconds
        self._connection: Any = None
        self._lock = threading.Lock()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)

    def start(self) -> None:
        self._hang_up()
        try:
            pooled = self._engine.raw_connection()
            self._connection = pooled.driver_connection
            pooled.detach()  # it listens, so nobody else is to get it
            self._connection.execute(_LISTEN)
        except driver_errors() as error:
            if getattr(error, "sqlstate", None) != _ON_A_STANDBY:
                raise translated(error, "listen to", self._where) from error

    def wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._bell, selectors.EVENT_READ)
            selector.register(self._connection.fileno(), selectors.EVENT_READ)
            ready = selector.select(self._seconds)
        for key, _ in ready:
            if key.fileobj is self._bell:
                self._bell.recv(4096)
            else:
                self._take()

    def wake(self) -> None:
        with self._lock:
            if self._rope.fileno() >= 0:
                self._rope.send(b".")

    def close(self) -> None:
        self._hang_up()
        with self._lock:  # somebody may be about to wake whoever no longer waits
            self._bell.close()
            self._rope.close()

    def _take(self) -> None:
        """Take the notifications that are there; what was appended is read from the events themselves."""
        try:
            for _ in self._connection.notifies(timeout=0):
                pass
        except driver_errors() as error:
            raise translated(error, "listen to", self._where) from error

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
