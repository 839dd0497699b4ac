"""Frozen values: the functions of `dataclasses` take them, and they are freed with their runs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass, replace
from inspect import signature
from typing import Any

import pytest

from calamity_lab.errors import ModelError, Rejected
from calamity_lab.examples.bank import DepositFunds, WithdrawFunds
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.frozen import FrozenValue
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Completed, Step


def kinds_below(cls: type) -> Iterator[type]:
    """A class and all its subclasses."""
    yield cls
    for each in cls.__subclasses__():
        yield from kinds_below(each)


def test_the_functions_of_dataclasses_take_each_kind_of_value() -> None:
    for kind in kinds_below(FrozenValue):
        assert is_dataclass(kind)
        assert tuple(each.name for each in fields(kind)) == kind.__struct_fields__  # type: ignore[attr-defined]
    step = Completed(3, begin(Stack(), DepositFunds("1", 5)).agenda.pending[0])
    assert replace(step, index=4) == Completed(4, step.pending)
    assert list(asdict(step)) == ["index", "pending"]
    with pytest.raises(TypeError, match="moment"):
        replace(step, moment=1)


def test_the_stack_that_replace_makes_is_checked() -> None:
    stack = dispatch(Stack(), DepositFunds("1", 5))
    assert replace(stack, cascade_limit=3).cascade_limit == 3
    assert replace(stack, delivered_upto=(), delivered_types=()) == stack
    with pytest.raises(ValueError, match="cascade_limit"):
        replace(stack, cascade_limit=-1)


def test_a_rejection_is_freed_with_its_run() -> None:
    def rejected() -> weakref.ref[Rejected]:
        with pytest.raises(Rejected) as caught:
            dispatch(Stack(), WithdrawFunds("1", 5))
        assert isinstance(caught.value.run.progress, Step)
        return weakref.ref(caught.value)

    assert_freed([rejected() for _ in range(20)])


def test_an_error_of_the_model_is_freed_with_its_run() -> None:
    def failed() -> weakref.ref[ModelError]:
        with pytest.raises(ModelError) as caught:
            dispatch(Stack(), WithdrawFunds("1", amount="much"))  # type: ignore[arg-type]
        assert caught.value.run is not None
        return weakref.ref(caught.value)

    assert_freed([failed() for _ in range(20)])


def test_maps_and_the_log_are_left_out_of_garbage_collection() -> None:
    stack = dispatch(Stack(), DepositFunds("1", 5))
    maps = (
        stack.aggregates,
        stack.aggregate_versions,
        stack.process_managers,
        stack.process_manager_versions,
    )
    assert [gc.is_tracked(each) for each in (*maps, stack.event_store._log)] == [False] * 5


def test_a_collection_says_what_a_call_of_its_class_takes_and_its_fields_stay() -> None:
    assert list(signature(PersistentMap).parameters) == ["items"]
    assert list(signature(InMemoryEventStore).parameters) == ["clock", "ids"]
    with pytest.raises(AttributeError, match="immutable"):
        PersistentMap({"a": 1})._size = 2


def assert_freed(kept: list[weakref.ref[Any]]) -> None:
    gc.collect()
    assert [each() for each in kept] == [None] * len(kept)
