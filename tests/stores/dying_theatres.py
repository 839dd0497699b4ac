"""Theatres that are killed, one after the other: `python -m tests.stores.dying_theatres URL COUNT`.

Each is a child of its own, a few minutes after the one before. It opens its own store, takes up what is owed,
meets what is due, and holds, extends and sells seats, until it is killed (SIGKILL) after a number of steps:
1, 2, 3 and so on, again and again. How each child ended is printed, one line each.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg  # noqa: F401 - once, and not in each child

from calamity_lab import Run, Stack, advance
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import Meeting
from calamity_lab.stores import SQLEventStore
from calamity_lab.stores.serializer.serializer import Serializer
from tests import holds
from tests.holds import ExtendHold, Holding, HoldSeat, SellSeat

SERIALIZER = Serializer(holds)
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
STEPS = 25  # the last step at which one is killed


def at(number: int) -> datetime:
    """The time of a theatre; deadlines are 10 and 15 minutes long."""
    return START + number * timedelta(minutes=4)


def theatre_at(url: str, now: datetime) -> Stack:
    """The theatre over a store of its own."""
    store = SQLEventStore(url, SERIALIZER, timeout=60)
    return Stack(event_store=store, process_manager_types=(Holding,), clock=lambda: now)


def wanted(number: int) -> Iterator[tuple[str, Any]]:
    """What guests want of the theatre with that number, without end, with the ids of the commands."""
    random = Random(number)
    seats: list[str] = [f"{number - 1}.{n}" for n in range(3)]  # some of the theatre before
    while True:
        seats.append(f"{number}.{len(seats) - 3}")
        yield f"hold {seats[-1]}", HoldSeat(seats[-1])
        seat, kind = random.choice(seats), random.choice((ExtendHold, SellSeat))
        yield f"{kind.__name__} {seat} by {number}", kind(seat)


def serve(url: str, number: int, steps: int) -> None:
    """Take up what is owed, then what is due, then what guests want."""
    run, guests, meeting = recover(theatre_at(url, at(number))), wanted(number), Meeting(at(number))
    while True:
        run = meeting.next(run) if run.idle else run
        if run.idle:
            command_id, command = next(guests)
            run = run.submit(command, command_ids=(command_id,), once=True)
        _, run = advance(run)
        steps -= 1
        if not steps:
            os.kill(os.getpid(), signal.SIGKILL)


def closed(url: str, count: int) -> Run:
    """The theatre a day later, when everything is done that was owed or due."""
    now = at(count) + timedelta(days=1)
    run, meeting = recover(theatre_at(url, now)), Meeting(now)
    while not (run := meeting.next(run) if run.idle else run).idle:
        _, run = advance(run)
    return run


def main(url: str, count: str) -> None:
    """Let one child after the other die."""
    for number in range(1, int(count) + 1):
        child = os.fork()
        if not child:
            try:
                serve(url, number, number % STEPS + 1)
            finally:
                os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
