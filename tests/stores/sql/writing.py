"""Programs that write to a store, run by themselves so that they may be many, and be killed.

``python -m tests.stores.sql.writing contend URL SEED FOLDER`` or ``... until-killed URL FOLDER``.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calamity_lab.errors import WrongExpectedVersion
from calamity_lab.kernel.metadata import NOTHING
from calamity_lab.kernel.recorded import ProposedEvent
from calamity_lab.kernel.sources import SeededIds, system_clock
from calamity_lab.stores.sql.event_store import SQLEventStore

STREAMS = [f"Shared-{n}" for n in range(10)]
WRITERS, EACH = 8, 2_000
SIZES = (1, 2, 5, 20, 50)


@dataclass(frozen=True)
class Written:
    """Who wrote it, which of that writer's appends it was in, how many those had, and which this is."""

    writer: str
    append: int
    of: int
    n: int


class Writer:
    """Appends batches to shared streams, and keeps a record of those that were acknowledged."""

    def __init__(self, url: str, name: str, acknowledged: Path) -> None:
        self.store = SQLEventStore(url, [Written])
        self.name = name
        self.ids = SeededIds(name)
        self.random = random.Random(name)
        self.acknowledged = acknowledged
        self.versions: dict[str, int] = {}
        self.appends = 0

    def append(self, size: int) -> None:
        """Append a batch to some stream at the version that it is at, however often another comes first."""
        stream_id = self.random.choice(STREAMS)
        self.appends += 1
        drawn, self.ids = self.ids.draw(size)
        now = system_clock()
        events = [
            ProposedEvent(Written(self.name, self.appends, size, n), id_, drawn[0], None, now, NOTHING)
            for n, id_ in enumerate(drawn)
        ]
        while True:
            version = self.versions.get(stream_id, 0)
            try:
                self.store.append(stream_id, events, expected_version=version)
            except WrongExpectedVersion as conflict:
                self.versions[stream_id] = conflict.actual
                continue
            self.versions[stream_id] = version + size
            break
        with self.acknowledged.open("a") as file:
            file.write("".join(f"{stream_id} {version + n} {id_}\n" for n, id_ in enumerate(drawn, 1)))


def contend(url: str, name: str, acknowledged: Path) -> None:
    """Append as many events as each writer is to, some at a time."""
    writer, left = Writer(url, name, acknowledged), EACH
    while left:
        size = min(left, writer.random.choice(SIZES))
        writer.append(size)
        left -= size
    writer.store.close()


def until_killed(url: str, name: str, acknowledged: Path) -> None:
    """Append without end."""
    writer = Writer(url, name, acknowledged)
    while True:
        writer.append(writer.random.randint(1, 9))


def forked(work: Callable[[], None]) -> int:
    """The process that does the work; it is a copy of this one, so it begins at once."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def main(url: str, folder: str) -> None:
    """Let all writers contend, and wait until they are done."""
    children = [
        forked(lambda name=f"writer {n}": contend(url, name, Path(folder, name)))  # type: ignore[misc]
        for n in range(WRITERS)
    ]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
