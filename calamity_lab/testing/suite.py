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

from calamity_lab.kernel.protocols import ALL, FORWARDS, Direction, StreamId
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.testing.models import EVENTS


class StoreSuite:
    """What your own test class overrides: how your store is made, closed, and used by several threads."""

    # The classes of all that the suite puts into a store: each suite sets its own.
    types: ClassVar[tuple[type, ...]] = ()
    # On how many random series of calls a store is compared with the in-memory store, each with a new store.
    examples: ClassVar[int] = 30

    def new_store(self, types: tuple[type, ...]) -> Any:
        """A new, empty store for messages and states of these types."""
        raise NotImplementedError(
            f"{type(self).__name__} must say how its store is made. Add this method: "
            "def new_store(self, types): return MyStore(...)"
        )

    def close(self, store: Any) -> None:
        """Close a store. It may be closed already."""
        close = getattr(store, "close", None)
        if close is not None:
            close()

    def writers(self, store: Any, count: int) -> Sequence[Any]:
        """Stores with the same contents, one for each of ``count`` threads; one if only one may write."""
        return [store]

    def try_examples(self, series: SearchStrategy[Any], compare: Callable[[Any], None]) -> None:
        """Compare a store with the in-memory store on random series of calls, the same ones every time."""
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


class EventStoreSuite(StoreSuite):
    """What your own test class for an event store may override, too."""

    types = EVENTS
    # For how many seconds to wait for events that a subscriber should not get, where it is called later.
    patience: ClassVar[float] = 0.0

    def reopen(self, store: Any) -> Any:
        """The store as another process would open it; a store that is not durable stays as it is."""
        return store

    def await_all(self, heard: Sequence[Any], count: int) -> None:
        """Wait until a subscriber has got ``count`` events, and for events that it should not get."""
        wait_until(lambda: len(heard) >= count, seconds=10)
        sleep(self.patience)


def read(
    store: Any, stream_id: StreamId = ALL, *, start: int = 0, direction: Direction = FORWARDS
) -> list[RecordedEvent]:
    """The events of a stream, as a list."""
    return list(store.stream(stream_id, start_version=start, direction=direction))


E = TypeVar("E", bound=Exception)

_brief = Repr()
_brief.maxstring = _brief.maxother = 600
_brief.maxlist = _brief.maxtuple = _brief.maxdict = 12


def must_equal(found: Any, wanted: Any, sentence: str) -> None:
    """Raise an AssertionError that begins with what a store must do, unless the two are equal."""
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
    """Expect an error of that kind from the block; the list then has the error."""
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
    """What a call returns, or the error of one of these kinds that it raises."""
    try:
        return call(), None
    except kinds as error:
        return None, error


def wait_until(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Whether a condition becomes true within the time; usually it is true at once."""
    end = monotonic() + seconds
    while not holds():
        if monotonic() > end:
            return False
        sleep(0.002)
    return True


def _first_difference(found: Sequence[Any], wanted: Sequence[Any]) -> list[str]:
    for index, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            return [
                f"  first difference, at index {index}:",
                f"    wanted: {_brief.repr(other)}",
                f"    found:  {_brief.repr(one)}",
            ]
    return [f"  lengths differ: wanted {len(wanted)}, found {len(found)}"]
