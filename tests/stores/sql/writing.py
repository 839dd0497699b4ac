"""Programs that write to a store at once, run by themselves: they fork quickly, and may be killed.

``python -m tests.stores.sql.writing contend URL FOLDER`` or ``... be_killed URL FOLDER``; in the folder each
writer leaves a file with what was acknowledged to it: a line with stream, version and id for each event.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from calamity_lab.errors import WrongExpectedVersion
from calamity_lab.kernel.clocks_and_ids import SeededIds, system_clock
from calamity_lab.kernel.recorded import NO_METADATA, ProposedEvent
from calamity_lab.stores.sql.event_store import SQLEventStore

STREAMS = [f"Shared-{n}" for n in range(10)]
WRITERS, EACH = 8, 2_000
SIZES = (1, 2, 5, 20, 50)
KILLS, AT_ONCE = 50, 3
YOUNG = 5  # every so many writers, one is killed without waiting for its first append
LONGEST = 0.04  # seconds that are let pass before a kill


@dataclass(frozen=True)
class Written:
    """Who wrote it, in which of its appends, how many events that had, and which of them this is."""

    writer: str
    append: int
    of: int
    n: int


class Writer:
    """Appends batches to shared streams, and keeps a record of those that were acknowledged."""

    def __init__(self, url: str, folder: str, name: str) -> None:
        self.store = SQLEventStore(url, [Written])
        self.name = name
        self.ids = SeededIds(name)
        self.random = random.Random(name)
        self.acknowledged = Path(folder, name)
        self.versions: dict[str, int] = {}
        self.appends = 0

    def append(self, size: int) -> None:
        """Append a batch to some stream at the version that it is at, however often another comes first."""
        stream_id = self.random.choice(STREAMS)
        self.appends += 1
        drawn, self.ids = self.ids.draw(size)
        now = system_clock()
        events = [
            ProposedEvent(Written(self.name, self.appends, size, n), id_, drawn[0], None, now, NO_METADATA)
            for n, id_ in enumerate(drawn)
        ]
        version = self._appended(stream_id, events)
        self.versions[stream_id] = version + size
        with self.acknowledged.open("a") as file:
            file.write("".join([f"{stream_id} {version + n} {id_}\n" for n, id_ in enumerate(drawn, 1)]))

    def _appended(self, stream_id: str, events: list[ProposedEvent]) -> int:
        version = self.versions.get(stream_id, 0)
        while True:
            try:
                self.store.append(stream_id, events, expected_version=version)
            except WrongExpectedVersion as conflict:
                version = conflict.actual
            else:
                return version


def contend(url: str, folder: str) -> None:
    """Let all writers append as many events as each is to, and wait until they are done."""

    def write(name: str) -> None:
        writer, left = Writer(url, folder, name), EACH
        while left:
            size = min(left, writer.random.choice(SIZES))
            writer.append(size)
            left -= size
        writer.store.close()

    children = [forked(lambda name=f"writer {n}": write(name)) for n in range(WRITERS)]  # type: ignore[misc]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(codes))


def be_killed(url: str, folder: str) -> None:
    """Let writers append without end, and kill one after the other at some moment."""

    def write(name: str) -> None:
        writer = Writer(url, folder, name)
        while True:
            writer.append(writer.random.choice(SIZES))

    chance = random.Random(7)
    living: list[tuple[int, Path, bool]] = []
    for n in range(KILLS + AT_ONCE):
        if n < KILLS:
            name = f"writer {n}"
            child = forked(lambda name=name: write(name))  # type: ignore[misc]
            living.append((child, Path(folder, name), n % YOUNG == 0))
        if n >= AT_ONCE:
            oldest, acknowledged, young = living.pop(0)
            while not (young or acknowledged.exists()):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, LONGEST))
            kill(oldest)


def kill(child: int) -> None:
    """Kill a writer, which was writing until then."""
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != -signal.SIGKILL:
        sys.exit(f"a writer had ended by itself, with {code}")


def forked(work: Callable[[], None]) -> int:
    """The process that does the work; it is a copy of this one, so it begins at once."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - it is told, and the child ends
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    SQLEventStore(sys.argv[2]).close()  # what it imports need not be imported by every writer
    {"contend": contend, "be_killed": be_killed}[sys.argv[1]](*sys.argv[2:])
