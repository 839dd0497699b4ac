"""Whatever is asked, in whatever order, a store answers as the in-memory store does, which is the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from calamity_lab.errors import InvalidValue, WrongExpectedVersion
from calamity_lab.kernel.constants import ALL, ANY, BACKWARDS, FORWARDS, NO_STREAM, STREAM_EXISTS
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.testing.demands import must_equal, outcome
from calamity_lab.testing.event_stores.on_trial import EventStoreOnTrial, read
from calamity_lab.testing.notes import CountRead, NoteTaken, PageFilled, proposed

STREAMS = ("Note-1", "Note-2", "Töne-ß")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NOTES = st.builds(NoteTaken, TEXTS)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
RATIOS = st.floats(allow_nan=False, allow_infinity=False)
EVENT = st.one_of(
    NOTES,
    st.builds(CountRead, NUMBERS, st.booleans()),
    st.builds(PageFilled, st.none() | TEXTS, RATIOS, st.lists(NOTES, max_size=2).map(tuple)),
)
# An int stands for that many versions from where the stream is, so that most expectations nearly fit.
EXPECTED = st.sampled_from([ANY, ANY, NO_STREAM, STREAM_EXISTS, 0, 0, 0, 1, -1, "nonsense"])
APPEND = st.tuples(st.sampled_from(STREAMS), st.lists(EVENT, max_size=4), EXPECTED)
READ = st.tuples(st.sampled_from([*STREAMS, ALL]), st.integers(-1, 9), st.sampled_from([FORWARDS, BACKWARDS]))
OPERATIONS = st.lists(APPEND | READ, min_size=1, max_size=12)


class Modelled(EventStoreOnTrial):
    """The demand that a store answers as the model does."""

    def test_a_store_answers_as_the_in_memory_store_does(self) -> None:
        self.try_examples(OPERATIONS, self._compare)

    def _compare(self, operations: list[tuple[Any, ...]]) -> None:
        store: Any = self.new_store(self.types)
        model: Any = InMemoryEventStore()
        heard: list[Any] = []
        wanted: list[Any] = []
        store, model = store.subscribe(ALL, heard.append), model.subscribe(ALL, wanted.append)
        for number, (stream_id, asked, how) in enumerate(operations):
            if isinstance(asked, int):
                must_equal(
                    read(store, stream_id, start=asked, direction=how),
                    read(model, stream_id, start=asked, direction=how),
                    f"stream({stream_id!r}, start_version={asked}, direction={how!r}) must tell",
                )
                continue
            expected = max(model.version(stream_id) + how, 0) if isinstance(how, int) else how
            events = list(proposed(asked, seed=str(number)))
            call = f"append({stream_id!r}, {asked!r}, expected_version={expected!r})"
            store, model = _both(store, model, _appending(stream_id, events, expected), call)
        must_equal(read(store), read(model), "all of it must be told as the model tells it")
        self.await_all(heard, len(wanted))
        must_equal(heard, wanted, "a subscriber must hear what the model's hears")
        self.close(store)


def _appending(stream_id: str, events: list[Any], expected: Any) -> Callable[[Any], Any]:
    return lambda store: store.append(stream_id, events, expected_version=expected)


def _both(store: Any, model: Any, call: Callable[[Any], Any], told: str) -> tuple[Any, Any]:
    """Both after the same call; the same error, where there is one, leaves both as they were."""
    kinds = (WrongExpectedVersion, InvalidValue)
    wanted, problem = outcome(lambda: call(model), kinds)
    found, error = outcome(lambda: call(store), kinds)
    must_equal(_facts(error), _facts(problem), f"{told} must end as in the model")
    return (store, model) if problem is not None else (found, wanted)


def _facts(error: Exception | None) -> Any:
    if isinstance(error, WrongExpectedVersion):
        return type(error), error.stream_id, error.expected, error.actual
    return type(error)
