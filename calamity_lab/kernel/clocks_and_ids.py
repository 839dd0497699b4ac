"""The clocks and the sources of ids of a stack: arguments of the stack, so that a run can be repeated.

A source is either a value, whose reading gives the next value (a run from an old stack reads the same again),
or a plain callable without arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import time_ns
from typing import Any, NamedTuple, Protocol

from calamity_lab.errors import InvalidValue


class Ids(Protocol):
    """A source of ids as a value."""

    def draw(self, count: int) -> tuple[tuple[str, ...], Ids]:
        """``count`` fresh ids, and the source to draw the next ones from."""
        ...


class Clock(Protocol):
    """A source of times as a value."""

    def read(self) -> tuple[datetime, Clock]:
        """The time now, and the clock to read the next time from."""
        ...


class SeededIds(NamedTuple):
    """Ids that depend on a seed and on how many were drawn before, and on nothing else."""

    seed: int | str
    drawn: int = 0

    def draw(self, count: int) -> tuple[tuple[str, ...], SeededIds]:
        """``count`` ids in the form of UUIDs."""
        seed, drawn = self
        upto = drawn + count
        ids = tuple(
            [_dashed(blake2b(f"{seed}:{n}".encode(), digest_size=16).hexdigest()) for n in range(drawn, upto)]
        )
        return ids, SeededIds(seed, upto)


class RandomIds(NamedTuple):
    """Random ids with the time in front, in the form of UUIDs, so that an index of them grows at its end."""

    def draw(self, count: int) -> tuple[tuple[str, ...], RandomIds]:
        """``count`` ids that nobody has seen before; they sort by the millisecond of the draw."""
        now = (time_ns() // 1_000_000).to_bytes(6)
        return tuple([_dashed((now + os.urandom(10)).hex()) for _ in range(count)]), self


class TickingClock(NamedTuple):
    """A clock that advances by ``tick`` at each reading, so that the same run has the same times."""

    now: datetime
    tick: timedelta = timedelta(seconds=1)

    def read(self) -> tuple[datetime, TickingClock]:
        """The time now, and the clock a tick later."""
        return self.now, TickingClock(self.now + self.tick, self.tick)


def seeded_ids(seed: int | str = 0) -> SeededIds:
    """A source of ids that gives the same ids for the same seed."""
    return SeededIds(seed)


def ticking_clock(start: str | datetime = "2026-01-01", *, seconds: float = 1.0) -> TickingClock:
    """A clock that starts at ``start`` (ISO 8601; UTC unless it says otherwise), ``seconds`` a reading."""
    begin = datetime.fromisoformat(start) if isinstance(start, str) else start
    if begin.tzinfo is None:
        begin = begin.replace(tzinfo=UTC)
    return TickingClock(begin.astimezone(UTC), timedelta(seconds=seconds))


def system_clock() -> datetime:
    """The time of the machine, in UTC."""
    return datetime.now(UTC)


def draw(ids: Ids | Callable[[], str], count: int) -> tuple[tuple[str, ...], Any]:
    """``count`` ids from either kind of source, and the source to go on with."""
    if hasattr(ids, "draw"):
        drawn, later = ids.draw(count)
        if len(drawn) != count:
            raise InvalidValue(f"The source of ids {ids!r} returned {len(drawn)} ids when asked for {count}")
        return drawn, later
    return tuple([_id(ids()) for _ in range(count)]), ids


def derived_ids(origin: str, sender: str, count: int) -> tuple[str, ...]:
    """The ids of the commands that a process manager instance sends because of what has that id.

    They depend on nothing else, so whoever hands the instance the same event again sends the same commands:
    that is how one that was carried out already is known.
    """
    # An id may be any text, one that no file could hold too.
    texts = [f"{origin}:{sender}:{n}".encode(errors="surrogatepass") for n in range(count)]
    return tuple([_dashed(blake2b(text, digest_size=16).hexdigest()) for text in texts])


def read(clock: Clock | Callable[[], datetime]) -> tuple[datetime, Any]:
    """The time from either kind of clock, in UTC, and the clock to go on with."""
    now, later = clock.read() if hasattr(clock, "read") else (clock(), clock)
    if not isinstance(now, datetime) or now.tzinfo is None:
        raise InvalidValue(
            f"The clock returned {now!r}. Let it return a datetime with a time zone, as datetime.now(UTC)"
        )
    return now if now.tzinfo is UTC else now.astimezone(UTC), later


def _id(drawn: Any) -> str:
    if drawn is None or drawn == "":
        raise InvalidValue(f"The source of ids returned {drawn!r}; an id is a text, or a value with a text")
    return str(drawn)


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
