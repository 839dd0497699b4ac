"""The clocks and the sources of ids of a stack: arguments of the stack, so that a run can be repeated.

A source is either a value, whose reading gives the next value (a run from an old stack reads the same again),
or a plain callable without arguments.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from time import time_ns
from typing import Any, NamedTuple, Protocol

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import a_whole_number, an_instance, has, is_a, words_of, wrong


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

    def apart(self, name: str) -> SeededIds:
        """A source of other ids, which depend on this seed and on a name."""
        return SeededIds(f"{self.seed}/{name}")


class RandomIds(NamedTuple):
    """Random ids with the time in front, in the form of UUIDs, so that an index of them grows at its end."""

    def draw(self, count: int) -> tuple[tuple[str, ...], RandomIds]:
        """``count`` ids that nobody has seen before; they sort by the millisecond of the draw."""
        now = (time_ns() // 1_000_000).to_bytes(6)
        return tuple([_dashed((now + os.urandom(10)).hex()) for _ in range(count)]), self


class NumberedIds(NamedTuple):
    """Ids as plain numbers, which cost little: for runs of which nobody looks at the ids."""

    drawn: int = 0

    def draw(self, count: int) -> tuple[tuple[str, ...], NumberedIds]:
        """The next ``count`` ids, and the source to go on with."""
        upto = self.drawn + count
        if count == 1:
            return (f"id-{self.drawn}",), NumberedIds(upto)
        return tuple([f"id-{n}" for n in range(self.drawn, upto)]), NumberedIds(upto)


class TickingClock(NamedTuple):
    """A clock that advances by ``tick`` at each reading, so that the same run has the same times."""

    now: datetime
    tick: timedelta = timedelta(seconds=1)

    def read(self) -> tuple[datetime, TickingClock]:
        """The time now, and the clock a tick later."""
        return self.now, TickingClock(self.now + self.tick, self.tick)


class JumpedClock(NamedTuple):
    """A clock that jumped: it differs from the one that it was by that time."""

    clock: Clock | Callable[[], datetime]
    by: timedelta

    def read(self) -> tuple[datetime, JumpedClock]:
        """The time now, and the clock to read the next time from."""
        now, later = read(self.clock)
        return now + self.by, JumpedClock(later, self.by)


def jumped(clock: Clock | Callable[[], datetime], by: timedelta) -> Clock:
    """The clock after a jump."""
    if type(clock) is TickingClock:
        return clock._replace(now=clock.now + by)
    if type(clock) is JumpedClock or type(clock) is RecordedTimes:
        return clock._replace(by=clock.by + by)
    return JumpedClock(clock, by)


class RecordedTimes(NamedTuple):
    """A clock that gives the times of a saved run again, and then goes on with a real one.

    The times have the jumps of the clock in them; ``by`` is how far the real one has jumped.
    """

    times: tuple[datetime, ...] = ()
    given: int = 0
    by: timedelta = timedelta(0)

    def read(self) -> tuple[datetime, RecordedTimes]:
        """The next of these times, and the clock to read the one after it from."""
        if self.given < len(self.times):
            return self.times[self.given], self._replace(given=self.given + 1)
        return system_clock() + self.by, self


class RecordedIds(NamedTuple):
    """A source that gives the ids of a saved run again, and then goes on with random ones.

    ``series`` are those that the run drew from sources of their own, by the names of these.
    """

    ids: tuple[str, ...] = ()
    series: tuple[tuple[str, tuple[str, ...]], ...] = ()
    given: int = 0

    def draw(self, count: int) -> tuple[tuple[str, ...], RecordedIds]:
        """``count`` ids, and the source to draw the next ones from."""
        known = self.ids[self.given : self.given + count]
        fresh, _ = RandomIds().draw(count - len(known))
        return (*known, *fresh), self._replace(given=self.given + count)

    def apart(self, name: str) -> RecordedIds:
        """The source of that name; one that the saved run had not gives random ids."""
        return RecordedIds(dict(self.series).get(name, ()), self.series)


def seeded_ids(seed: int | str = 0) -> SeededIds:
    """A source of ids that gives the same ids for the same seed."""
    if is_a(seed, str):
        return SeededIds(str.__str__(seed))
    return SeededIds(a_whole_number("seeded_ids(seed)", seed, low=-(10**100), high=10**100))


def ticking_clock(start: str | datetime = "2026-01-01", *, seconds: float = 1.0) -> TickingClock:
    """A clock that starts at ``start`` (ISO 8601; UTC unless it says otherwise), ``seconds`` a reading."""
    try:
        given: Any = datetime.fromisoformat(str.__str__(start)) if is_a(start, str) else start
        begin: datetime = an_instance("ticking_clock(start)", given, datetime, "'2026-01-01'")
        begin = begin.replace(tzinfo=UTC) if begin.tzinfo is None else begin.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise wrong(
            "ticking_clock(start)", start, "a date or a time in ISO 8601, as in '2026-01-01'"
        ) from error
    try:
        return TickingClock(begin, timedelta(seconds=seconds))
    except Exception as error:
        raise wrong("ticking_clock(seconds)", seconds, "a number of seconds, as in 60") from error


def system_clock() -> datetime:
    """The time of the machine, in UTC."""
    return datetime.now(UTC)


def draw(ids: Ids | Callable[[], str], count: int) -> tuple[tuple[str, ...], Any]:
    """``count`` ids from either kind of source, and the source to go on with."""
    if type(ids) in _OUR_IDS:
        return ids.draw(count)  # type: ignore[union-attr]
    try:
        if not hasattr(ids, "draw"):
            return tuple([_id(ids()) for _ in range(count)]), ids
        drawn, later = ids.draw(count)
        found = len(drawn)
    except InvalidValue:
        raise
    except Exception as error:
        raise InvalidValue(
            f"The source of ids {repr_of(ids)} raised {words_of(error)}. Give ids=seeded_ids(7), or a "
            "function without arguments that returns an id"
        ) from error
    if found != count:
        raise InvalidValue(f"The source of ids {repr_of(ids)} returned {found} ids when asked for {count}")
    return tuple([_id(each) for each in drawn]), later


def derived_ids(origin: str, sender: str, count: int) -> tuple[str, ...]:
    """The ids of the commands that a process manager instance sends because of what has that id.

    They depend on nothing else, so whoever hands the instance the same event again sends the same commands:
    that is how one that was carried out already is known.
    """
    return tuple([derived_id(origin, sender, n) for n in range(count)])


def derived_id(origin: str, sender: str, n: int) -> str:
    """The n-th of the ids that depend on that origin and sender, and on nothing else."""
    # An id may be any text, one that no file could hold too.
    text = f"{origin}:{sender}:{n}".encode(errors="surrogatepass")
    return _dashed(blake2b(text, digest_size=16).hexdigest())


def read(clock: Clock | Callable[[], datetime]) -> tuple[datetime, Any]:
    """The time from either kind of clock, in UTC, and the clock to go on with."""
    try:
        now, later = clock.read() if hasattr(clock, "read") else (clock(), clock)
    except Exception as error:
        raise InvalidValue(
            f"The clock {repr_of(clock)} raised {words_of(error)}. Give clock=ticking_clock(), or a function "
            "without arguments that returns a datetime with a time zone, as datetime.now(UTC)"
        ) from error
    try:
        if is_a(now, datetime) and now.tzinfo is not None:
            return now if now.tzinfo is UTC else now.astimezone(UTC), later
    except OverflowError:
        pass  # a time that has no year from 1 to 9999 in UTC
    raise InvalidValue(
        f"The clock returned {repr_of(now)}. Let it return a datetime with a time zone, as datetime.now(UTC)"
    )


def check_sources(call: str, clock: Any, ids: Any) -> None:
    """Raise for a clock that cannot be read, or a source of ids that cannot be drawn from."""
    if not has(clock, "read") and not callable(clock):
        works = "a clock, as in ticking_clock(), or a function that returns the time"
        raise wrong(f"{call}(clock)", clock, works)
    if not has(ids, "draw") and not callable(ids):
        works = "a source of ids, as in seeded_ids(7), or a function that returns an id"
        raise wrong(f"{call}(ids)", ids, works)


def _id(drawn: Any) -> str:
    text = ""
    if drawn is not None:
        with suppress(Exception):  # whatever it raises, it has no text
            text = str(drawn)
    if not text:
        raise InvalidValue(
            f"The source of ids returned {repr_of(drawn)}; an id is a text, or a value with a text"
        )
    return text


_OUR_IDS = (SeededIds, RandomIds, NumberedIds)


def _dashed(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
