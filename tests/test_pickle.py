"""Errors, runs, moments and in-memory stacks go to another process and back; live stores say why not."""

from __future__ import annotations

import copy
import copyreg
import inspect
import pickle  # noqa: S403 - it is the subject
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from calamity_lab import ALL, InMemoryEventStore, Lab, Rejected, Stack, advance, begin, errors
from calamity_lab.errors import CalamityError, InvalidValue, ModelError
from calamity_lab.examples import bank
from calamity_lab.examples.bank import (
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    RequestTransfer,
    Transfer,
)
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.persistent import PersistentMap, PersistentVector
from calamity_lab.stores import SQLEventStore, SQLSnapshotStore
from calamity_lab.stores.actors import StackActor, ThreadActors, one_for_all

Way = Callable[[Any], Any]


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - of our own


WAYS = pytest.mark.parametrize("way", [_pickled, copy.copy, copy.deepcopy])

# What a constructor gets for a parameter, by its name or its annotation.
GIVEN: dict[str, Any] = {
    "outcome": SimpleNamespace(verdict="rejected"),
    "str": "text",
    "int": 3,
    "Any": datetime(2026, 1, 1, tzinfo=UTC),
    "Sequence[str]": ("A", "B"),
    "Mapping[str, str]": {"a": "b"},
    "Mapping[str, tuple[int, int]]": {"a-1": (1, 2)},
}


def _made(cls: Any) -> Any:
    """An error of that class; one whose ``__init__`` takes other things than before needs a line above."""
    if not inspect.isfunction(cls.__init__):  # it takes a sentence, as all exceptions do
        return cls("what happened")
    parameters = inspect.signature(cls).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return cls(*[GIVEN.get(p.name) or GIVEN[str(p.annotation)] for p in required])


def _tree(cls: type) -> Iterator[type]:
    yield cls
    for below in cls.__subclasses__():
        yield from _tree(below)


TREE = [cls for cls in _tree(CalamityError) if cls.__module__.startswith("calamity_lab.")]


def _said(error: BaseException) -> Any:
    return type(error), str(error), repr(error), error.args, error.__dict__


def test_the_tree_has_every_public_error() -> None:
    public = [cls for cls in vars(errors).values() if inspect.isclass(cls) and issubclass(cls, Exception)]
    assert set(public) <= set(TREE)


@WAYS
@pytest.mark.parametrize("cls", TREE)
def test_every_error_survives_with_all_that_it_says(cls: Any, way: Way) -> None:
    error = _made(cls)
    error.add_note("a note")
    error.run = begin(Stack(ids=seeded_ids(1)), CreateAccount("1"))
    again = way(error)
    assert again is not error
    assert _said(again) == _said(error)


class Insufficient(Rejected):
    def __init__(self, balance: int) -> None:
        super().__init__("insufficient funds", balance=balance)


@WAYS
def test_a_rejection_of_the_users_own_survives_with_its_command(way: Way) -> None:
    rejected = Insufficient(3)
    rejected.command = DepositFunds("1", 5)
    assert way(rejected) == rejected
    assert way(rejected).details == {"balance": 3}


class Foreign(Exception):
    def __init__(self, code: int, text: str) -> None:  # which pickle cannot make again from its args
        super().__init__(f"{code} {text}")


@WAYS
def test_an_error_keeps_its_cause(way: Way) -> None:
    error = ModelError("A.apply", "raised")
    error.__cause__ = KeyError("x")
    assert repr(way(error).__cause__) == "KeyError('x')"


def test_an_error_arrives_without_a_cause_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    # Where dask is loaded, tblib pickles errors in a way of its own, with their causes.
    monkeypatch.delitem(copyreg.dispatch_table, ModelError, raising=False)
    error = ModelError("A.apply", "raised")
    error.__cause__ = Foreign(5, "text")
    assert (str(_pickled(error)), _pickled(error).__cause__) == (str(error), None)


def _moments() -> list[Any]:
    lab = Lab(bank)
    lab.send(CreateAccount("1"), CreateAccount("2"), DepositFunds("1", 9), RequestTransfer("t", "1", "2", 5))
    lab.resume()
    return list(lab.trace)


@WAYS
def test_every_moment_of_a_run_survives(way: Way) -> None:
    for moment in _moments():
        again = way(moment)
        assert again == moment
        assert again.stack.event_store == moment.stack.event_store
        assert again.agenda == moment.agenda


@WAYS
def test_a_run_goes_on_from_its_copy_as_it_would_have(way: Way) -> None:
    stack = Stack(process_manager_types=[Transfer], ids=seeded_ids(3), clock=ticking_clock())
    run = begin(
        stack, CreateAccount("1"), CreateAccount("2"), DepositFunds("1", 9), RequestTransfer("t", "1", "2", 5)
    )
    while not run.idle:
        step, after = advance(run)
        assert advance(way(run)) == (step, after)
        run = after


@WAYS
def test_a_copied_store_grows_apart_from_its_origin(way: Way) -> None:
    heard: list[Any] = []
    origin = InMemoryEventStore(ids=seeded_ids(1), clock=ticking_clock()).append(
        "a-1", [FundsDeposited("1", 5)]
    )
    again = way(origin)
    more = again.append("a-1", [FundsDeposited("1", 6)])
    assert ([len(store) for store in (origin, again, more)], heard) == ([1, 1, 2], [])
    assert next(iter(more.stream("a-1"))) == next(iter(origin.stream(ALL)))


@WAYS
@pytest.mark.parametrize(
    "value",
    [
        PersistentVector(range(100)),
        PersistentVector(),
        PersistentMap({"a": 1}).insert("b", 2).discard("a"),
        Stack(aggregates={"BankAccount-1": BankAccount("1")}).aggregates,
        Agenda([Pending(CreateAccount("1"), "c", "c"), Pending(CreateAccount("2"), "d", "d")]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_of_the_kernel_survive_and_empty_ones_stay_empty(value: Any, way: Way) -> None:
    assert way(value) == value
    assert type(way(value)) is type(value)
    assert len(PersistentVector()) == len(Agenda()) == len(PersistentMap()) == 0


def test_a_long_chain_of_causes_can_be_pickled() -> None:
    pending = Pending(CreateAccount("1"), "0", "0")
    for n in range(1, 3_000):
        pending = Pending(CreateAccount("1"), str(n), "0", n, parent=pending)
    again = _pickled(Agenda([pending])).pending[0]
    assert [link.command_id for link in again.chain()] == [link.command_id for link in pending.chain()]


@pytest.mark.parametrize("way", [_pickled, copy.deepcopy])
def test_a_stack_on_a_live_store_says_why_it_cannot_be_pickled(way: Way, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    with SQLEventStore(url, bank) as store, SQLSnapshotStore(url, bank) as snapshots:
        error = errors.IdleRun(begin(Stack(event_store=store), CreateAccount("1")))
        for value in (store, Stack(event_store=store), error.run, snapshots):
            with pytest.raises(InvalidValue, match=r"cannot be pickled or copied.*open the store again"):
                way(value)
        assert str(way(error)) == str(error)
        assert _pickled(error).run is None


@pytest.mark.parametrize("way", [_pickled, copy.deepcopy])
def test_a_stack_in_actors_says_why_it_cannot_be_pickled(way: Way) -> None:
    with StackActor(Stack()) as actor, pytest.raises(InvalidValue, match="cannot be pickled or copied"):
        way(actor)
    with ThreadActors() as actors:
        stack = one_for_all(Stack(), actors)
        for value in (stack, stack.aggregates, stack.process_managers, stack.event_store):
            with pytest.raises(InvalidValue, match="cannot be pickled or copied"):
                way(value)
