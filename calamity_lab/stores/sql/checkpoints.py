"""Checkpoints: how far each named subscription has come, and which worker has the name."""

from __future__ import annotations

import logging
import os
import socket
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from calamity_lab.errors import CalamityError, InvalidValue, StoreError, repr_of
from calamity_lab.kernel.arguments import a_text, a_whole_number, wrong
from calamity_lab.kernel.protocols import ALL, Category, StreamId
from calamity_lab.stores.sql.database import LEASE, Database

_log = logging.getLogger("calamity_lab")


class Checkpoint(NamedTuple):
    """How far a named subscription has come.

    ``position`` is the position of the last event that was acknowledged; for a subscription to one stream its
    version. ``worker`` is the process that has the subscription now, None where nobody has it.
    """

    name: str
    stream: str
    position: int
    worker: str | None


def stored_stream(stream_id: StreamId | Category) -> str:
    """What a checkpoint says of the stream that it belongs to."""
    if stream_id is ALL:
        return "all streams"
    return f"category {stream_id.name}" if isinstance(stream_id, Category) else f"stream {stream_id}"


def checked_name(name: object) -> str:
    """The name of a subscription, after a check."""
    text = a_text("name", name, "name='mailer'")
    if not text.strip():
        raise wrong("name", name, "a text for the name of a subscription, as in name='mailer'")
    return text


def checkpoints(database: Database) -> tuple[Checkpoint, ...]:
    """All checkpoints of a database, by name."""
    rows = database.rows(database.statements.checkpoints)
    return tuple(
        [
            Checkpoint(name, stream, position, _shown(owner) if is_owned else None)
            for name, stream, position, owner, is_owned in rows
        ]
    )


def move_checkpoint(database: Database, name: str, position: int, head: int) -> None:
    """Move a checkpoint by hand; a worker that has the name goes on from there."""
    name = a_text("move_checkpoint(name)", name, "'mailer'")
    position = a_whole_number("move_checkpoint(position)", position, high=head)
    values = {"name": name, "position": position}
    if not database.write(database.statements.move_checkpoint, values, "write to"):
        known = ", ".join(repr_of(each.name, 60) for each in checkpoints(database)) or "none"
        raise InvalidValue(f"there is no checkpoint {repr_of(name)} in {database.name!r}; known: {known}")


class Claim:
    """The claim of one worker on the name of a subscription, and the checkpoint of that name.

    A claim holds for `LEASE` seconds, and is renewed as long as the process lives. So a name is free again
    when its worker closes the subscription, at once when its process has died on this machine, and else
    after these seconds.
    """

    def __init__(self, database: Database, name: str, stream: str, *, start: int, head: int) -> None:
        self.name = name
        self._database, self._statements = database, database.statements
        self._owner = f"{_machine()} {os.getpid()} {_process()} {uuid4().hex}"
        self._mine = {"name": name, "owner": self._owner}
        self.position = self._take(stream, start, head)
        self._closed = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"claim on {name}", daemon=True)
        self._keeper.start()

    def acknowledge(self, position: int) -> int:
        """Note that everything up to a position was handled; the position from which to go on.

        That is another one when the checkpoint was moved by hand meanwhile.
        """
        values = {**self._mine, "known": self.position, "position": position}
        if self._database.write(self._statements.acknowledge, values, "acknowledge an event in"):
            self.position = position
            return position
        return self.look()

    def look(self) -> int:
        """The position of the checkpoint now. Raises `StoreError` when another worker has the name."""
        rows = self._database.rows(self._statements.checkpoint, {"name": self.name})
        owner = rows[0][2] if rows else None
        if owner != self._owner:
            now = "nobody has it" if owner is None else f"{_shown(owner)} has it"
            raise StoreError(
                f"the subscription {repr_of(self.name)} of {self._database.name!r} was taken from this "
                f"worker, which did not answer for {LEASE} seconds, or by hand; now {now}. Events after "
                f"position {self.position} are handled by whoever subscribes by that name next"
            )
        self.position = rows[0][1]
        return self.position

    def release(self) -> None:
        """Let another worker have the name."""
        self._closed.set()
        self._keeper.join()
        try:
            self._database.write(self._statements.release, self._mine, "write to")
        except CalamityError as error:
            _log.warning("the name %r is free in %s seconds: %s", self.name, LEASE, error)

    def _take(self, stream: str, start: int, head: int) -> int:
        name, shown, write = self.name, repr_of(self.name), self._database.write
        values = {"name": name, "stream": stream, "position": start - 1}
        write(self._statements.begin_checkpoint, values, "subscribe by a name to")
        of, position, owner = self._row()
        if of != stream:
            raise InvalidValue(
                f"the name {shown} belongs to a subscription to {repr_of(of)}, not to {repr_of(stream)}; "
                "give another name"
            )
        taking = {**self._mine, "dead": owner if _is_dead(owner) else ""}
        write(self._statements.take_checkpoint, taking, "subscribe by a name to")
        _, position, now = self._row()
        if now != self._owner:
            raise StoreError(
                f"the subscription {shown} of {self._database.name!r} has a worker already: {_shown(now)}. "
                "Close that one first, or give another name. A worker that died on another machine keeps "
                f"the name for {LEASE} seconds"
            )
        if position > head:
            write(self._statements.release, self._mine, "subscribe by a name to")
            raise StoreError(
                f"the checkpoint {shown} is at {position}, but {repr_of(stream)} ends at {head} in "
                f"{self._database.name!r}. Was the database restored from an older backup? Restore the "
                "newest one; or, when the later events are lost for good: "
                f"store.move_checkpoint({shown}, {head})"
            )
        return position

    def _row(self) -> tuple[str, int, str | None]:
        stream, position, owner = self._database.rows(self._statements.checkpoint, {"name": self.name})[0]
        return stream, position, owner

    def _keep(self) -> None:
        """Renew the claim, in a thread of its own: a subscriber may take long, and so may the next event."""
        while not self._closed.wait(LEASE / 4):
            try:
                self._database.write(self._statements.renew, self._mine, "renew a claim in")
            except CalamityError as error:
                _log.warning("the claim on the name %r is not renewed: %s", self.name, error)


def _is_dead(owner: str | None) -> bool:
    """Whether a worker is a process of this machine that is gone."""
    if owner is None:
        return False
    machine, pid, process, _ = owner.rsplit(" ", 3)
    if machine != _machine():
        return False
    if int(pid) == os.getpid():
        return process != _process()
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is somebody else's
        return False
    return False


def _shown(owner: str | None) -> str:
    machine, pid, *_ = (owner or "? ?").rsplit(" ", 3)
    return f"process {pid} on {machine.partition(' ')[0]}"


@cache
def _machine() -> str:
    """What distinguishes this machine, since it was started, and this container on it."""
    parts = [socket.gethostname().replace(" ", "-")]
    with suppress(OSError):  # there are such files on Linux only
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


@cache
def _process() -> str:
    """What distinguishes this process from a later one with its number."""
    return uuid4().hex
