"""The suites find what they are there to find, and say what a store must do."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import calamity_lab.testing
from calamity_lab.errors import MissingExtra, WrongExpectedVersion
from calamity_lab.kernel import ask
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore
from calamity_lab.kernel.protocols import ALL, ANY, BACKWARDS, FORWARDS
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.testing.aggregate_store_conformance import AggregateStoreConformance
from calamity_lab.testing.event_store_conformance import EventStoreConformance
from calamity_lab.testing.process_manager_store_conformance import ProcessManagerStoreConformance
from calamity_lab.testing.suite import must_equal, must_raise
from tests.kernel.outside import OutsideAggregates, OutsideEvents

ROOT = Path(__file__).resolve().parents[2]


class ForgetsExpectations(OutsideEvents):
    def append(self, stream_id: Any, events: Iterable[Any], *, expected_version: Any = ANY) -> Any:
        return super().append(stream_id, events)


class ExpectsOnlyAtTheStart(OutsideEvents):
    def append(self, stream_id: Any, events: Iterable[Any], *, expected_version: Any = ANY) -> Any:
        known = self.held.version(stream_id)
        return super().append(stream_id, events, expected_version=ANY if known else expected_version)


class AppendsOneByOne(OutsideEvents):
    def append(self, stream_id: Any, events: Iterable[Any], *, expected_version: Any = ANY) -> Any:
        for event in events:
            super().append(stream_id, [event], expected_version=expected_version)
            expected_version = ANY
        return self


class StartsTooLate(OutsideEvents):
    def stream(self, stream_id: Any, *, start_version: int = 0, direction: Any = FORWARDS) -> Any:
        late = start_version + 1 if start_version > 0 else start_version
        return super().stream(stream_id, start_version=late, direction=direction)


class KnowsOneDirection(OutsideEvents):
    def stream(self, stream_id: Any, *, start_version: int = 0, direction: Any = FORWARDS) -> Any:
        forwards = super().stream(stream_id, start_version=start_version)
        return forwards if direction is BACKWARDS else super().stream(stream_id, start_version=start_version)


class OrdersByStream(OutsideEvents):
    def stream(self, stream_id: Any, *, start_version: int = 0, direction: Any = FORWARDS) -> Any:
        told = list(super().stream(stream_id, start_version=start_version, direction=direction))
        return iter(sorted(told, key=lambda r: r.stream_id) if stream_id is ALL else told)


class IgnoresCase(OutsideEvents):
    def append(self, stream_id: Any, events: Iterable[Any], *, expected_version: Any = ANY) -> Any:
        known = {name.lower(): name for name in self.held.stream_ids}
        one = known.get(stream_id.lower(), stream_id) if isinstance(stream_id, str) else stream_id
        return super().append(one, events, expected_version=expected_version)


class TellsTwice(OutsideEvents):
    def subscribe(self, stream_id: Any, subscriber: Any) -> Any:
        super().subscribe(stream_id, subscriber)
        return super().subscribe(stream_id, lambda recorded: subscriber(recorded))


class TellsBefore(OutsideEvents):
    def __init__(self) -> None:
        super().__init__()
        self.subscribers: list[Any] = []

    def subscribe(self, stream_id: Any, subscriber: Any) -> Any:
        super().subscribe(stream_id, subscriber)
        self.subscribers.append(subscriber)
        return self

    def append(self, stream_id: Any, events: Iterable[Any], *, expected_version: Any = ANY) -> Any:
        listed = list(events)
        try:
            return super().append(stream_id, listed, expected_version=expected_version)
        except WrongExpectedVersion:
            for subscriber in self.subscribers:
                subscriber(listed[0])
            raise


class LosesMetadata(OutsideEvents):
    def stream(self, stream_id: Any, *, start_version: int = 0, direction: Any = FORWARDS) -> Iterator[Any]:
        for r in super().stream(stream_id, start_version=start_version, direction=direction):
            yield RecordedEvent(
                r.event, r.event_type, r.event_id, r.stream_id, r.stream_version, r.position,
                r.correlation_id, r.causation_id, r.recorded_at,
            )  # fmt: skip


class RacesWithItself(OutsideEvents):
    """Looks at the version, and appends a while later: of the first two writers, one is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = count(1)
        self.both = threading.Barrier(2)

    def append(self, stream_id: Any, events: Iterable[Any], *, expected_version: Any = ANY) -> Any:
        after = self.held.append(stream_id, events, expected_version=expected_version)
        if next(self.numbers) <= 2:
            self.both.wait(timeout=30)
        self.held = after
        return self


@pytest.mark.parametrize(
    ("store", "test"),
    [
        (ForgetsExpectations, "test_an_append_at_another_version_than_expected_writes_nothing"),
        (ForgetsExpectations, "test_an_invalid_expected_version_raises"),
        (ExpectsOnlyAtTheStart, "test_an_append_at_another_version_than_expected_writes_nothing"),
        (AppendsOneByOne, "test_an_error_while_the_events_are_made_leaves_nothing"),
        (AppendsOneByOne, "test_a_bare_event_gets_an_id_and_a_time"),
        (StartsTooLate, "test_start_version_is_inclusive_in_both_directions"),
        (StartsTooLate, "test_a_store_answers_as_the_in_memory_store_does"),
        (KnowsOneDirection, "test_all_streams_are_read_in_order_of_position"),
        (OrdersByStream, "test_all_streams_are_read_in_order_of_position"),
        (IgnoresCase, "test_stream_ids_that_differ_in_one_character_are_different_streams"),
        (TellsTwice, "test_a_subscriber_to_all_streams_gets_every_later_event_once_and_in_order"),
        (TellsBefore, "test_subscribers_get_only_what_was_recorded"),
        (LosesMetadata, "test_every_field_of_a_proposed_event_is_kept"),
    ],
)
def test_the_suite_for_event_stores_finds_a_store_that(store: Callable[[], Any], test: str) -> None:
    class Suite(EventStoreConformance):
        def new_store(self, types: tuple[type, ...]) -> Any:
            return store()

    failed(Suite(), test)


def test_the_suite_for_event_stores_finds_writers_that_overtake_each_other() -> None:
    class Suite(EventStoreConformance):
        def new_store(self, types: tuple[type, ...]) -> Any:
            return RacesWithItself()

        def writers(self, store: Any, count: int) -> list[Any]:
            return [store] * count

    failed(Suite(), "test_writers_that_expect_a_version_never_overwrite_each_other")


class KeepsWhatWasRefused(OutsideAggregates):
    """Applies events one by one in place, so that one that breaks leaves those before it."""

    def dispatch(self, command: Any) -> Any:
        identity = Identity(*command.aggregate())
        state = self.held.get(identity.stream_id) or identity.type.new(identity.id)
        events = ask.execute(state, command)
        for event in events:
            self.held = self.held.apply(identity, [event])
        return events, self


class KnowsOneType(OutsideAggregates):
    def get(self, key: Any, default: Any = None) -> Any:
        found = super().get(key, default)
        return found if found is not None else super().get(str(key).replace("Gauge", "Counter"), default)


class NeverForgets(OutsideAggregates):
    def forget(self, identity: Any) -> Any:
        return self


@pytest.mark.parametrize(
    ("store", "test"),
    [
        (KeepsWhatWasRefused, "test_an_error_in_the_model_changes_nothing"),
        (KeepsWhatWasRefused, "test_a_store_answers_as_the_in_memory_store_does"),
        (KnowsOneType, "test_get_returns_the_default_for_an_unknown_aggregate"),
        (NeverForgets, "test_a_forgotten_aggregate_begins_again"),
        (NeverForgets, "test_a_store_answers_as_the_in_memory_store_does"),
    ],
)
def test_the_suite_for_aggregate_stores_finds_a_store_that(store: Callable[[], Any], test: str) -> None:
    class Suite(AggregateStoreConformance):
        def new_store(self, types: tuple[type, ...]) -> Any:
            return store()

    failed(Suite(), test)


class OutsideManagers:
    """Instances in a dict of its own, with room for mistakes."""

    def __init__(self) -> None:
        self.held = InMemoryProcessManagerStore()

    def handle_event(self, recorded_event: Any, process_manager_types: Any) -> Any:
        reactions, self.held = self.held.handle_event(recorded_event, process_manager_types)
        return reactions, self

    def get(self, key: Any, default: Any = None) -> Any:
        return self.held.get(key, default)


class SaysNothingOfAbsence(OutsideManagers):
    def handle_event(self, recorded_event: Any, process_manager_types: Any) -> Any:
        reactions, _ = super().handle_event(recorded_event, process_manager_types)
        return [r for r in reactions if r.verb != "ignored"], self


class KeepsWhatWasStopped(OutsideManagers):
    def handle_event(self, recorded_event: Any, process_manager_types: Any) -> Any:
        before = self.held
        reactions, _ = super().handle_event(recorded_event, process_manager_types)
        if any(r.verb == "stopped" for r in reactions):
            self.held = before
        return reactions, self


class ReactsForOneInstance(OutsideManagers):
    def handle_event(self, recorded_event: Any, process_manager_types: Any) -> Any:
        for manager in process_manager_types:
            for interest in ask.interested(manager, recorded_event.event, recorded_event)[:1]:
                reaction, self.held = self.held.react(manager, interest, recorded_event)
                return [reaction], self
        return [], self


class KeepsPolicies(OutsideManagers):
    def handle_event(self, recorded_event: Any, process_manager_types: Any) -> Any:
        reactions, _ = super().handle_event(recorded_event, process_manager_types)
        for reaction in reactions:
            if reaction.verb == "answered":
                self.held = self.held.insert(reaction.identity.stream_id, reaction)
        return reactions, self


class OrdersByName(OutsideManagers):
    def handle_event(self, recorded_event: Any, process_manager_types: Any) -> Any:
        in_order = sorted(process_manager_types, key=lambda cls: cls.__name__)
        return super().handle_event(recorded_event, in_order)


@pytest.mark.parametrize(
    ("store", "test"),
    [
        (SaysNothingOfAbsence, "test_a_continue_or_stop_without_an_instance_is_ignored"),
        (SaysNothingOfAbsence, "test_a_store_answers_as_the_in_memory_store_does"),
        (KeepsWhatWasStopped, "test_a_stop_ends_the_instance_without_a_command"),
        (KeepsWhatWasStopped, "test_a_store_answers_as_the_in_memory_store_does"),
        (ReactsForOneInstance, "test_an_event_may_concern_several_instances"),
        (KeepsPolicies, "test_a_policy_answers_and_nothing_is_kept"),
        (OrdersByName, "test_every_type_reacts_in_the_order_in_which_types_are_given"),
    ],
)
def test_the_suite_for_process_manager_stores_finds_a_store_that(store: Callable[[], Any], test: str) -> None:
    class Suite(ProcessManagerStoreConformance):
        def new_store(self, types: tuple[type, ...]) -> Any:
            return store()

    failed(Suite(), test)


def test_an_adapter_that_does_not_say_how_its_store_is_made_is_told() -> None:
    class TestMine(EventStoreConformance):
        pass

    with pytest.raises(
        NotImplementedError, match=r"TestMine must say how its store is made\. Add .*: def new_store"
    ):
        TestMine().new_store(())


@pytest.mark.parametrize(
    ("suite", "stand_in"),
    [
        (EventStoreConformance, OutsideEvents),
        (AggregateStoreConformance, OutsideAggregates),
        (ProcessManagerStoreConformance, OutsideManagers),
    ],
)
def test_what_a_suite_shows_as_an_adapters_whole_test_is_one(suite: Any, stand_in: Callable[[], Any]) -> None:
    shown = dedent("\n".join(line for line in suite.__doc__.splitlines() if line.startswith("        ")))
    mine = suite.__name__.replace("Conformance", "")
    names: dict[str, Any] = {suite.__name__: suite, f"My{mine}": lambda types: stand_in()}
    exec(shown, names)
    names[f"TestMy{mine}"]().test_a_store_answers_as_the_in_memory_store_does()


def test_a_demand_that_is_not_met_is_told_as_a_sentence_with_both_values() -> None:
    with pytest.raises(AssertionError) as caught:
        must_equal([1, 2, 4], [1, 2, 3], "a store must count")
    assert str(caught.value).splitlines() == [
        "a store must count",
        "  wanted: [1, 2, 3]",
        "  found:  [1, 2, 4]",
        "  first difference, at index 2:",
        "    wanted: 3",
        "    found:  4",
    ]
    with pytest.raises(AssertionError, match="lengths differ: wanted 3, found 2"):
        must_equal([1, 2], [1, 2, 3], "a store must count")
    with (
        pytest.raises(AssertionError, match="must refuse; it raised nothing"),
        must_raise(KeyError, "must refuse"),
    ):
        pass
    with (
        pytest.raises(AssertionError, match="must refuse; it raised ValueError: no"),
        must_raise(KeyError, "must refuse"),
    ):
        raise ValueError("no")


def test_the_face_of_testing_loads_pytest_only_with_a_suite() -> None:
    program = "\n".join(
        [
            "import sys, calamity_lab.testing as testing",
            "assert 'pytest' not in sys.modules and 'hypothesis' not in sys.modules",
            "testing.temporary_postgres",
            "assert 'pytest' not in sys.modules and 'psycopg' not in sys.modules",
            "assert all(getattr(testing, name).__name__ == name for name in testing.__all__)",
        ]
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_a_suite_without_pytest_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.startswith("calamity_lab.testing.aggregate_store"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with pytest.raises(MissingExtra, match=r"needs hypothesis.*calamity-lab\[testing\]"):
        calamity_lab.testing.__getattr__("AggregateStoreConformance")


def failed(suite: Any, test: str) -> None:
    """Let a suite's test run on its store: it must fail, with a sentence that tells what a store must do."""
    store = suite.new_store(suite.types)
    with pytest.raises(AssertionError) as caught:
        _call(getattr(suite, test), store)
    assert len(str(caught.value).splitlines()[0]) > 20


def _call(run: Callable[..., Any], store: Any) -> None:
    if "in_memory_store" in run.__name__:
        run()
    else:
        run(store)
