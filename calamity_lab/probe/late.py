"""Ask a model about what has not happened, and do not wait for one that takes long.

A question that nobody knows to be quick goes to a thread of its own. It is waited for as long as the model
keeps answering; a model that does not is answered for late, and the views say so meanwhile. Python cannot end
a thread: a callback that never returns keeps its thread until the program ends. So it is asked once, and
never again while it has not answered.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread, get_ident
from time import perf_counter
from typing import Any, Generic, TypeVar, cast

from calamity_lab.kernel import ask

T = TypeVar("T")

LONG = 0.25
"""Seconds: a callback that needs this long is slow."""

_TICK = 0.002
_TICKS = 4
_STARVED = 500
_LITTLE = 500_000  # nanoseconds
_MOST_SLOW = 3


class Late(Generic[T]):
    """An answer that may come late: `wait` says whether it is there, and then `answer` gives it.

    ``took`` is how many seconds it took.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = Event()
        self._answer: T | None = None
        self._error: BaseException | None = None
        self._answered = self._inside = 0
        self._has_waited = False
        self._calls: dict[object, Callable[[], object]] = {}
        self.began = perf_counter()
        self.took = 0.0
        self._clock: int | None = None
        self._thread = Thread(target=self._run, daemon=True, name="calamity_lab, asking ahead")
        self._thread.start()

    def wait(self) -> bool:
        """Wait as long as the model keeps answering, and never twice; whether the answer is there."""
        ticks = starved = used = 0
        seen = self._answered
        while not (self._has_waited or self._done.wait(_TICK)):
            before, used = used, self._used()
            if self._inside and self._answered == seen:
                # On a busy machine the thread may only wait for its turn: that is not the model's fault.
                is_starved = used - before < _LITTLE and self._may_run() and starved < _STARVED
                ticks, starved = (ticks, starved + 1) if is_starved else (ticks + 1, starved)
            else:
                ticks = 0
            seen, self._has_waited = self._answered, ticks >= _TICKS
        return self._done.is_set()

    def then(self, key: object, call: Callable[[], object]) -> None:
        """Call once the answer is there, in the thread that gave it; one call per key."""
        self._calls[key] = call
        if self._done.is_set():
            self._call()

    def _call(self) -> None:
        while self._calls:
            with suppress(KeyError):  # the other thread was quicker
                self._calls.popitem()[1]()

    def _used(self) -> int:
        """The nanoseconds of a processor that the thread has used; 0 where the system does not say."""
        with suppress(OSError):
            return 0 if self._clock is None else time.clock_gettime_ns(self._clock)
        return 0

    def _may_run(self) -> bool:
        """Whether the thread has work to do, and does not sleep; False where the system does not say."""
        with suppress(OSError):
            return (
                Path(f"/proc/self/task/{self._thread.native_id}/stat").read_text().rpartition(")")[2][1]
                == "R"
            )
        return False

    @property
    def answer(self) -> T:
        """The answer, once it is there; raises what the work raised."""
        if self._error is not None:
            raise self._error
        return cast("T", self._answer)

    def _run(self) -> None:
        with suppress(AttributeError):  # of which not every system knows
            self._clock = time.pthread_getcpuclockid(get_ident())
        try:
            with ask.through(self._count):
                self._answer = self._work()
        except BaseException as error:  # noqa: BLE001 - raised where the answer is asked for
            self._error = error
        finally:
            self.took = perf_counter() - self.began
            self._done.set()
            self._call()

    def _count(self, question: ask.Question) -> Any:
        self._inside += 1
        try:
            return question()
        finally:
            self._inside -= 1
            self._answered += 1


class TooSlow(Exception):
    """A class of the model was slow several times, and is not asked any more."""


class Patience:
    """A wrapper of the door to the model that asks no class further which was slow several times."""

    def __init__(self) -> None:
        self._slow: dict[type, int] = {}

    def __call__(self, question: ask.Question) -> Any:
        """The answer, where the class may still be asked."""
        subject = question.subject
        cls = subject if issubclass(type(subject), type) else type(subject)
        if self._slow.get(cls, 0) >= _MOST_SLOW:
            raise TooSlow
        began = perf_counter()
        try:
            return question()
        finally:
            self._slow[cls] = self._slow.get(cls, 0) + (perf_counter() - began > LONG)
