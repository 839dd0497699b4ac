"""Every public function and method, called with values that it does not expect: a result or a named error.

The functions are found by the ``__all__`` of the public modules, so a new one is tried by itself. A call is
made of arguments that the parameter's name suggests, of which one or two are replaced by junk.
"""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, NamedTuple

import matplotlib as mpl
import pytest

import calamity_lab
from calamity_lab.errors import CalamityError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, FundsDeposited, RequestTransfer, Transfer
from calamity_lab.examples.bank.read_models import BankTotals
from calamity_lab.frames import History
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemorySnapshotStore, Snapshot
from calamity_lab.kernel.messages import Continue, Start, Stop
from calamity_lab.kernel.protocols import ANY, FORWARDS
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import take_snapshots
from calamity_lab.kernel.run import Run, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab import Lab
from calamity_lab.stores import (
    DeadlineWorker,
    HeldEventStore,
    OverlayEventStore,
    ProcessManagerWorker,
    ProjectionWorker,
    Serializer,
    SQLEventStore,
    SQLSnapshotStore,
    StackActor,
    ThreadActors,
    UnreadableEvent,
)
from calamity_lab.views.agenda import agenda
from calamity_lab.views.events import event_rows
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.views.versions import history_of
from tests.junk import JUNK

INPUTS = 10_000
SEED = 14

MODULES = ("calamity_lab", "calamity_lab.stores", "calamity_lab.figures", "calamity_lab.frames")
# A protocol has no code, a suite is run by pytest, and an error is what these calls end in. A cluster and a
# server are machines of their own.
NOT_CALLED = {
    *("Aggregate", "AggregateStore", "Command", "EventStore", "ProcessManager", "ProcessManagerStore"),
    *("VersionStore", "CalamityError", "ALL", "ANY", "BACKWARDS", "FORWARDS", "NO_STREAM", "STREAM_EXISTS"),
    "Projection",
    "ClusterActors",
    "ClusterStackActor",
}
# Drawing and writing take most of the time, so they are tried in every fourth round.
_COSTLY = ("plot_", ".to_", "_to_")
OPERATORS = ("__call__", "__contains__", "__eq__", "__getitem__", "__hash__", "__iter__", "__len__")
EVENTS = [FundsDeposited("a", 1), FundsDeposited("a", 2)]


def _decide(command: Any, state: int) -> Any: ...
def _evolve(state: int, event: Any) -> int:
    return state


class Call(NamedTuple):
    """A function that is tried, under its name; ``subject`` makes what it is a method of."""

    name: str
    function: Callable[..., Any]
    subject: Callable[[], Any] | None


class World:
    """What the calls work with: values, stores, a lab, and good values for parameters of these names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.start = Stack(
            process_manager_types=[Transfer], ids=seeded_ids(1), clock=ticking_clock(),
            event_store={"BankAccount-a": EVENTS},
        )  # fmt: skip
        self.stack = dispatch(self.start, DepositFunds("a", 30))
        self.run = begin(self.stack, DepositFunds("a", 5), RequestTransfer("t1", "a", "b", 3))
        self.recorded: tuple[RecordedEvent, ...] = tuple(self.stack.event_store)
        self.store = SQLEventStore(f"sqlite:///{folder}/kept.db", bank)
        self.store.append("BankAccount-a", EVENTS)
        self.store.append("BankAccount-kept", EVENTS)
        self.kept = tuple(self.store.stream("BankAccount-kept"))
        self.snapshots = SQLSnapshotStore("sqlite://", bank)
        self.make_again()
        lab = self.lab
        trace, cursor = lab.trace, lab.cursor
        self.views: dict[str, Any] = {
            "plot_agenda": agenda(trace, cursor, limit=30),
            "plot_events": event_rows(trace, cursor, limit=30),
            "plot_field": history_of(trace, cursor, "BankAccount-a", "balance"),
            "plot_process_managers": process_graph(trace, cursor, lab.model),
            "plot_sequence": sequence(trace, cursor),
            "plot_state": state(trace, cursor, limit=24),
        }
        self.good: Mapping[str, Callable[[], Any]] = {
            "aggregate_types": lambda: [BankAccount],
            "aggregates": dict,
            "by": lambda: "position",
            "clock": ticking_clock,
            "cls": lambda: BankAccount,
            "command": lambda: DepositFunds("a", 1),
            "commands": lambda: DepositFunds("a", 1),
            "correlation": lambda: None,
            "count": lambda: 2,
            "decide": lambda: _decide,
            "cursor": lambda: 1,
            "direction": lambda: FORWARDS,
            "entries": lambda: [("BankAccount-a", EVENTS[0])],
            "event": lambda: EVENTS[0],
            "event_store": lambda: {"BankAccount-a": EVENTS},
            "events": lambda: list(EVENTS),
            "evolve": lambda: _evolve,
            "expected_version": lambda: ANY,
            "expected_versions": dict,
            "field": lambda: "balance",
            "history": lambda: self.views["plot_field"],
            "id": lambda: "a",
            "identity": lambda: Identity(BankAccount, "a"),
            "ids": lambda: seeded_ids(3),
            "index": lambda: 0,
            "key": lambda: "BankAccount-a",
            "limit": lambda: 3,
            "message": lambda: EVENTS[0],
            "metadata": lambda: {"user": "ada"},
            "model": lambda: bank,
            "moment": lambda: 1,
            "name": lambda: "FundsDeposited",
            "path": lambda: str(folder / "written"),
            "payload": lambda: '{"account_id": "a", "amount": 1}',
            "position": lambda: 1,
            "process_manager_types": lambda: [Transfer],
            "recorded": lambda: self.recorded,
            "recorded_event": lambda: self.recorded[0],
            "recorded_events": lambda: self.recorded,
            "run": lambda: self.run,
            "seed": lambda: 1,
            "snapshot": lambda: Snapshot("BankAccount-a", 1, 1, "e", BankAccount("a")),
            "snapshots": lambda: self.snapshots,
            "source": lambda: self.recorded,
            "stack": lambda: self.stack,
            "start": lambda: "2026-01-01",
            "start_version": lambda: 1,
            "state": lambda: BankAccount("a"),
            "store": lambda: self.store,
            "stream_id": lambda: "BankAccount-a",
            "subscriber": lambda: lambda event: None,
            "text": lambda: "{}",
            "to": lambda: BankAccount,
            "trace": lambda: lab.trace,
            "type": lambda: BankAccount,
            "types": lambda: bank,
            "url": lambda: "sqlite://",
            "verb": lambda: Verb.STARTED,
            "version": lambda: 1,
            "what": lambda: 1,
            "which": lambda: 0,
        }  # fmt: skip

    def make_again(self) -> None:
        """Make what the calls of one round share: making it takes longer than most calls."""
        self.lab = Lab(bank, stack=self.run)
        self.lab.step()
        self.serializer = Serializer(bank)

    def subjects(self) -> Mapping[str, Callable[[], Any]]:
        """What makes an object of each public class."""
        actors = ThreadActors()
        actor = StackActor(self.start)
        durable = SQLEventStore("sqlite://", bank)
        worker = ProcessManagerWorker(Stack(event_store=durable, process_manager_types=[Transfer]))
        meeting = DeadlineWorker(Stack(event_store=durable, process_manager_types=[Transfer]))
        read_models = ProjectionWorker(durable, [BankTotals])
        return {
            "After": lambda: calamity_lab.After(timedelta(hours=1), DepositFunds("a", 1)),
            "At": lambda: calamity_lab.At(datetime(2026, 3, 1, tzinfo=UTC), DepositFunds("a", 1)),
            "Cancel": lambda: calamity_lab.Cancel(DepositFunds),
            "Category": lambda: calamity_lab.Category("BankAccount"),
            "ClockJump": lambda: calamity_lab.ClockJump(timedelta(hours=1)),
            "ConcurrentWriter": lambda: calamity_lab.ConcurrentWriter("BankAccount-a", *EVENTS),
            "Crash": calamity_lab.Crash,
            "Lose": lambda: calamity_lab.Lose(DepositFunds),
            "Redeliver": lambda: calamity_lab.Redeliver(FundsDeposited),
            "Context": lambda: calamity_lab.Context(self.recorded[0].recorded_at, "c1"),
            "Continue": lambda: Continue("a"),
            "DeadlineWorker": lambda: meeting,
            "Decider": lambda: calamity_lab.Decider("Total", 0, _decide, _evolve),
            "HeldEventStore": lambda: HeldEventStore(self.stack.event_store),
            "History": lambda: History(self.recorded),
            "Identity": lambda: Identity(BankAccount, "a"),
            "InMemoryEventStore": lambda: InMemoryEventStore.of(self.recorded),
            "InMemorySnapshotStore": lambda: take_snapshots(Run(self.stack), InMemorySnapshotStore()),
            "Lab": lambda: self.lab,
            "OverlayEventStore": lambda: OverlayEventStore(self.store),
            "ProcessManagerWorker": lambda: worker,
            "ProjectionWorker": lambda: read_models,
            "RecordedEvent": lambda: self.recorded[0],
            "Rejected": lambda: calamity_lab.Rejected("no", amount=1),
            "Run": lambda: self.run,
            "SQLEventStore": lambda: self.store,
            "SQLSnapshotStore": lambda: self.snapshots,
            "Serializer": lambda: self.serializer,
            "Stack": lambda: self.stack,
            "StackActor": lambda: actor,
            "Start": lambda: Start("a"),
            "Stop": lambda: Stop("a"),
            "ThreadActors": lambda: actors,
            "UnknownEvent": lambda: Serializer().decode("Gone", 1, '{"a": 1}'),
            "UnreadableEvent": lambda: UnreadableEvent("no text", {"payload": "None"}),
            "WrongExpectedVersion": lambda: calamity_lab.WrongExpectedVersion("S-1", 1, 2),
            "aggregates of a lab": lambda: self.lab.aggregates,
            "agenda of a lab": lambda: self.lab.agenda,
            "aggregates of a stack": lambda: self.stack.aggregates,
            "instances of a stack": lambda: self.stack.process_managers,
            "steps of a lab": lambda: self.lab.steps,
            "trace of a lab": lambda: self.lab.trace,
            "versions of a stack": lambda: self.stack.aggregate_versions,
        }


# What ends something that the other calls need, or waits for it.
_NOT_TRIED = {
    "SQLEventStore.close",
    "SQLSnapshotStore.close",
    "DeadlineWorker.close",
    "DeadlineWorker.wait_for",
    "ProcessManagerWorker.close",
    "ProcessManagerWorker.wait_for",
    "ProjectionWorker.close",
    "ProjectionWorker.wait_for",
    "StackActor.close",
    "ThreadActors.close",
    "Lab.dock",
}


def calls(world: World) -> Iterator[Call]:
    """Every public function, the making of every public class, and every public method of its objects."""
    subjects = world.subjects()
    for module_name in MODULES:
        module = import_module(module_name)
        for name in module.__all__:
            found = getattr(module, name)
            if name not in NOT_CALLED and callable(found):
                yield Call(name, found, None)
                assert not isinstance(found, type) or name in subjects, f"subjects() lacks a {name}"
    for name, make in subjects.items():
        for method in methods(type(make())):
            if f"{name}.{method}" not in _NOT_TRIED:
                yield Call(f"{name}.{method}", getattr(type(make()), method), make)


def methods(cls: type) -> Iterator[str]:
    """The public methods and operators that we wrote; what the standard library adds is not ours."""
    for name in dir(cls):
        function = getattr(cls, name, None)
        ours = str(getattr(function, "__module__", "")).startswith("calamity_lab")
        written = Path(getattr(getattr(function, "__code__", None), "co_filename", "")).is_file()
        if ours and callable(function) and (not name.startswith("_") or (name in OPERATORS and written)):
            yield name


def arguments(call: Call, world: World, random: Random) -> tuple[list[Any], dict[str, Any], str]:
    """Arguments that Python takes: such as the names ask for, but for one or two that are junk."""
    try:
        parameters = list(inspect.signature(call.function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    bound = call.subject is not None and not inspect.ismethod(call.function)
    parameters = parameters[1:] if bound else parameters
    given: list[Any] = []
    named: dict[str, Any] = {}
    told = []
    spoilt = random.sample(parameters, min(len(parameters), random.choice((1, 1, 1, 2))))
    for parameter in parameters:
        optional = parameter.default is not parameter.empty or parameter.kind in _LOOSE
        if parameter not in spoilt and optional and random.random() < 0.7:
            continue
        good = world.good.get(parameter.name)
        if parameter.name == "view" or parameter.name == "graph":
            good = partial(world.views.__getitem__, call.name)
        if parameter in spoilt or good is None:
            kind = random.choice(list(JUNK))
            good = JUNK[kind]
            told.append(f"{parameter.name}={kind}")
        value = good()
        if parameter.kind is parameter.VAR_POSITIONAL or (not named and parameter.kind in _BY_POSITION):
            if len(given) < parameters.index(parameter) and parameter.kind is not parameter.VAR_POSITIONAL:
                named[parameter.name] = value
            else:
                given.append(value)
        elif parameter.kind is parameter.VAR_KEYWORD:
            named["unexpected"] = value
        else:
            named[parameter.name] = value
    return given, named, ", ".join(told)


_LOOSE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def looked_at(result: Any) -> None:
    """Use a result as a notebook does: show it, and read the first of its items."""
    if type(result).__module__.startswith("calamity_lab"):
        repr(result)
        for method in ("_repr_html_", "_repr_mimebundle_"):
            if callable(shown := getattr(type(result), method, None)):
                shown(result)
    if isinstance(result, Iterator):
        for _, item in zip(range(5), result, strict=False):
            repr(item) if isinstance(item, RecordedEvent) else None


def outcome(call: Call, given: list[Any], named: dict[str, Any]) -> BaseException | None:
    """The error that a call ended in, unless it is a named one, or Python itself refused the call."""
    try:
        result = call.function(*([call.subject()] if _takes_self(call) else []), *given, **named)
        if not any(result is each for each in (*given, *named.values())):
            looked_at(result)
    except CalamityError as error:
        return told_badly(error)
    except TypeError as error:
        refused = error.__traceback__ is not None and error.__traceback__.tb_next is None
        return None if refused else error
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is a fault to report
        return error
    return None


def told_badly(error: CalamityError) -> BaseException | None:
    """What is wrong with a named error: it cannot be shown, or is too long to be read."""
    try:
        text = str(error)
        repr(error)
        "".join(traceback.format_exception_only(error))
    except BaseException as fault:  # noqa: BLE001 - it is the fault to report
        return fault
    return AssertionError(f"a message of {len(text):,} characters") if len(text) > 3_000 else None


def _takes_self(call: Call) -> bool:
    return call.subject is not None and not inspect.ismethod(call.function)


@pytest.mark.filterwarnings("ignore")
def test_every_public_call_ends_in_a_result_or_a_named_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    mpl.use("Agg")
    world, random, faults = World(tmp_path), Random(SEED), dict[str, str]()
    every = list(calls(world))
    tried, rounds, spent = 0, 0, dict.fromkeys([call.name for call in every], 0.0)
    while tried < INPUTS:
        rounds += 1
        world.make_again()
        for call in every:
            if rounds % 4 and any(part in call.name for part in _COSTLY):
                continue
            given, named, told = arguments(call, world, random)
            began = perf_counter()
            fault = outcome(call, given, named)
            spent[call.name] += perf_counter() - began
            tried += 1
            if fault is not None:
                faults.setdefault(f"{call.name}({told})", described(fault))
    if __name__ == "__main__":
        for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[:25]:
            print(f"{seconds:6.2f} {name}")
    assert tuple(world.store.stream("BankAccount-kept")) == world.kept
    assert all(isinstance(event, RecordedEvent) for event in world.store)
    assert not faults, report(faults)


def described(fault: BaseException) -> str:
    last = traceback.extract_tb(fault.__traceback__)[-4:]
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(last))
    with suppress(BaseException):
        return f"{type(fault).__name__}: {str(fault)[:100]}   [{where}]"
    return f"{type(fault).__name__}   [{where}]"


def report(faults: Mapping[str, str]) -> str:
    listed = "\n".join(f"{call}\n    {fault}" for call, fault in sorted(faults.items()))
    return f"{len(faults)} calls ended in a raw error:\n{listed}"


if __name__ == "__main__":
    import sys
    import tempfile

    INPUTS = int(sys.argv[1])
    SEED = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    with (
        tempfile.TemporaryDirectory() as folder,
        pytest.MonkeyPatch.context() as patch,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        t = perf_counter()
        try:
            test_every_public_call_ends_in_a_result_or_a_named_error(Path(folder), patch)
        finally:
            print(f"{perf_counter() - t:.1f} s")
