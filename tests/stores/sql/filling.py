"""Fills the room that a store has, and says what became of it; run by itself, since it lowers its own limits.

``python -m tests.stores.sql.filling FOLDER [LARGEST]``: with ``LARGEST``, no file may have more bytes.
"""

from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

from calamity_lab.errors import StoreFull
from calamity_lab.kernel.protocols import ALL
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.sql.notes import Noted

BATCH = 5


def main(folder: str, largest: str = "") -> None:
    """Append until the room is used up, then make room and append again."""
    filler = Path(folder, "filler")
    url = f"sqlite:///{folder}/events.db"
    store = SQLEventStore(url, [Noted])
    if largest:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails, and the process does not end
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(largest), resource.RLIM_INFINITY))
    else:
        filler.write_bytes(b"x" * 300_000)
    appended = fill(store)
    assert appended > 0
    assert whole(store, appended)
    for size in (100_000, 200_000):
        try:
            store.append("Note-1", [Noted("x" * size)])
        except StoreFull as error:
            told = str(error)
        else:
            raise AssertionError("there should be no room")
    assert whole(store, appended)
    if largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    else:
        filler.unlink()
    store.append("Note-1", [Noted("y" * 1000)] * BATCH)
    assert whole(store, appended + 1)
    store.close()
    with SQLEventStore(url, [Noted]) as again:
        assert whole(again, appended + 1)
    sys.stdout.write(told)


def fill(store: SQLEventStore) -> int:
    """How many batches there was room for."""
    appended = 0
    while True:
        try:
            store.append("Note-1", [Noted("x" * 1000)] * BATCH)
        except StoreFull:
            return appended
        appended += 1


def whole(store: SQLEventStore, batches: int) -> bool:
    """Whether so many batches are there, each with all its events."""
    positions = [recorded.position for recorded in store.stream(ALL)]
    return positions == list(range(1, BATCH * batches + 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
