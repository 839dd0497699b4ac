"""What all suites share: how a suite gets a store, and assertions that say what the store must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from reprlib import Repr
from time import monotonic, sleep
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from calamity_lab.kernel.constants import ALL, FORWARDS, Direction, StreamId
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.testing.models import EVENTS


class StoreOnTrial:
    """What an adapter's own test says: how a store is made, and where it is not as a plain value is."""

    # The classes of whatever a suite puts into a store; a suite gives its own.
    types: ClassVar[tuple[type, ...]] = ()
    # On how many random series of calls a store is compared with the model; each gets a new store.
    examples: ClassVar[int] = 30

    def new_store(self, types: tuple[type, ...]) -> Any:
        """A new, empty store that can take messages and states of these types."""
        raise NotImplementedError(
            f"{type(self).__name__} must say how its store is made: "
            "def new_store(self, types): return MyStore(...)"
        )

    def close(self, store: Any) -> None:
        """Give up what a store holds. It may have been closed before."""
        close = getattr(store, "close", None)
        if close is not None:
            close()

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        """That many stores with the same contents, for as many threads; one where only one may write."""
        return [store]

    def try_examples(self, series: SearchStrategy[Any], compare: Callable[[Any], None]) -> None:
        """Compare a store with the model on random series of calls, the same ones every time."""
        run = given(series)(compare)
        settings(
            max_examples=self.examples,
            deadline=None,
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=(HealthCheck.too_slow,),
        )(run)()

    @pytest.fixture
    def store(self) -> Iterator[Any]:
        """A new store, for the time of one test."""
        store = self.new_store(self.types)
        yield store
        self.close(store)


class EventStoreOnTrial(StoreOnTrial):
    """What an adapter's own test says of an event store."""

    types = EVENTS
    # For how many seconds a subscriber that is told in the background may yet hear what it should not.
    patience: ClassVar[float] = 0.0

    def reopen(self, store: Any) -> Any:
        """The store after its process was started again; one that is not durable stays as it is."""
        return store

    def await_all(self, heard: Sequence[Any], count: int) -> None:
        """Give a subscriber the time to hear so many events, and to hear more than it should."""
        wait_until(lambda: len(heard) >= count, seconds=10)
        sleep(self.patience)


def read(
    store: Any, stream_id: StreamId = ALL, *, start: int = 0, direction: Direction = FORWARDS
) -> list[RecordedEvent]:
    """What a store tells of a stream."""
    return list(store.stream(stream_id, start_version=start, direction=direction))


E = TypeVar("E", bound=Exception)

_brief = Repr()
_brief.maxstring = _brief.maxother = 600
_brief.maxlist = _brief.maxtuple = _brief.maxdict = 12


def must_equal(found: Any, wanted: Any, sentence: str) -> None:
    """Raise an AssertionError that begins with what a store must do, unless it was found so."""
    __tracebackhide__ = True
    if found == wanted:
        return
    said = [sentence, f"  wanted: {_brief.repr(wanted)}", f"  found:  {_brief.repr(found)}"]
    if isinstance(found, (list, tuple)) and isinstance(wanted, (list, tuple)):
        said += _first_difference(found, wanted)
    raise AssertionError("\n".join(said))


def must(holds: bool, sentence: str) -> None:
    """Raise an AssertionError with the sentence unless it holds."""
    __tracebackhide__ = True
    if not holds:
        raise AssertionError(sentence)


@contextmanager
def must_raise(kind: type[E], sentence: str) -> Iterator[list[E]]:
    """Expect an error of that kind from what is inside; it is in the list afterwards."""
    __tracebackhide__ = True
    raised: list[E] = []
    try:
        yield raised
    except kind as error:
        raised.append(error)
    except Exception as error:
        raise AssertionError(f"{sentence}; it raised {type(error).__name__}: {error}") from error
    else:
        raise AssertionError(f"{sentence}; it raised nothing")


def outcome(call: Callable[[], Any], kinds: tuple[type[Exception], ...]) -> tuple[Any, Exception | None]:
    """What a call answers, or the error of one of these kinds that it raises."""
    try:
        return call(), None
    except kinds as error:
        return None, error


def wait_until(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Whether it holds before the time is up; that it does at once is the usual case."""
    end = monotonic() + seconds
    while not holds():
        if monotonic() > end:
            return False
        sleep(0.002)
    return True


def _first_difference(found: Sequence[Any], wanted: Sequence[Any]) -> list[str]:
    for place, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            return [
                f"  first difference, at index {place}:",
                f"    wanted: {_brief.repr(other)}",
                f"    found:  {_brief.repr(one)}",
            ]
    return [f"  lengths differ: wanted {len(wanted)}, found {len(found)}"]
