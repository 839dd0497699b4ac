"""A rejection changes an instance whose class says that its ``apply`` takes a `Rejected`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatchmethod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab import Lab, RecordedEvent, Rejected, Stack, Start, Stop, command, dispatch
from calamity_lab.errors import InvalidModel
from calamity_lab.kernel import ask
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import begin
from calamity_lab.kernel.steps import Continued
from calamity_lab.model import Model
from calamity_lab.probe.near_misses import near_misses
from calamity_lab.trace.purity import advance_watched
from tests.kernel.outside import OutsideEvents
from tests.kernel.running import finish, only


@dataclass(frozen=True)
class Ordered:
    shop: str
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Sold:
    shop: str
    count: int


@dataclass(frozen=True)
class Closed:
    shop: str


@command(to="Shop", by="shop")
@dataclass(frozen=True)
class Close:
    shop: str


@command(to="Shop", by="shop")
@dataclass(frozen=True)
class Order:
    shop: str
    counts: tuple[int, ...]


@command(to="Shop", by="shop")
@dataclass(frozen=True)
class Sell:
    shop: str
    count: int


class SoldOut(Rejected):
    """A rejection of a class of its own, which a stall raises."""


@dataclass(frozen=True)
class Shop:
    shop: str
    stock: int = 5

    @classmethod
    def new(cls, shop: str) -> Shop:
        return cls(shop)

    def execute(self, command: Order | Sell | Close) -> Any:
        match command:
            case Close(shop=shop):
                return Closed(shop)
            case Order(shop=shop, counts=counts):
                return Ordered(shop, counts)
            case Sell(shop=shop, count=count):
                if count > self.stock:
                    kind = SoldOut if shop == "stall" else Rejected
                    raise kind("sold out", count=count, stock=self.stock)
                return Sold(shop, count)

    def apply(self, event: Ordered | Sold | Closed) -> Shop:
        return replace(self, stock=self.stock - event.count) if isinstance(event, Sold) else self


@dataclass(frozen=True)
class Quiet:
    """Sells what is ordered, and remembers what could not be sold."""

    shop: str
    missed: tuple[int, ...] = ()
    causes: tuple[int, ...] = ()

    @classmethod
    def interested(cls, event: Any) -> Start | Stop | None:
        match event:
            case Ordered(shop=shop):
                return Start(shop)
            case Closed(shop=shop):
                return Stop(shop)
        return None

    @classmethod
    def new(cls, shop: str) -> Any:
        return cls(shop)

    def apply(self, event: Ordered | Rejected, recorded: RecordedEvent) -> Any:
        match event:
            case Rejected(details={"count": count}):
                return replace(self, missed=(*self.missed, count), causes=(*self.causes, recorded.position))
        return self

    def handle(self, event: Ordered) -> Any:
        return [Sell(self.shop, count) for count in event.counts]


class Seller(Quiet):
    """One that tries a single one instead, once."""

    def handle_rejection(self, rejected: Rejected) -> Any:
        return Sell(self.shop, 1) if len(self.missed) == 1 else None


class Dispatching(Seller):
    @singledispatchmethod
    def apply(self, event: Any) -> Any:
        return self

    @apply.register
    def _(self, event: Rejected) -> Any:
        return replace(self, missed=(*self.missed, event.details["count"]))


def sold_out(steps: list[Any]) -> list[Any]:
    """The steps of instances that a rejection continued."""
    return [s for s in steps if isinstance(s, Continued) and isinstance(s.trigger, Rejected)]


def test_a_rejection_is_applied_before_it_is_answered() -> None:
    steps, run = finish(begin(Stack(process_manager_types=[Seller]), Order("1", (4, 3, 2))))
    first, second = sold_out(steps)
    assert (first.before.missed, first.after.missed) == ((), (3,))
    assert [pending.command for pending in first.commands] == [Sell("1", 1)]
    assert (second.before, second.after.missed, second.commands) == (first.after, (3, 2), ())
    assert run.stack.process_managers["Seller-1"] == Seller("1", (3, 2), (1, 1))
    assert run.stack.process_manager_versions["Seller-1"] == 1, "a version counts events"


@pytest.mark.parametrize("manager", [Seller, Dispatching])
def test_a_class_says_so_by_its_annotation_or_by_what_it_registers(manager: type) -> None:
    stack = dispatch(Stack(process_manager_types=[manager]), Order("1", (9, 8)))
    assert stack.process_managers[f"{manager.__name__}-1"].missed[:2] == (9, 8)


def test_a_change_of_the_state_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    steps, run = finish(begin(Stack(process_manager_types=[Quiet]), Order("1", (9,))))
    (step,) = sold_out(steps)
    assert step.after == run.stack.process_managers["Quiet-1"] == Quiet("1", (9,), (1,))
    assert not caplog.records, "there is nothing to warn of"


def test_a_class_that_does_not_say_so_is_not_asked() -> None:
    class Deaf(Seller):
        def apply(self, event: Ordered) -> Any:  # type: ignore[override]
            assert not isinstance(event, Rejected)
            return self

    assert not ask.takes_rejections(Deaf)
    steps, run = finish(begin(Stack(process_manager_types=[Deaf]), Order("1", (9,))))
    assert only(Continued, steps).after == run.stack.process_managers["Deaf-1"] == Deaf("1")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(1, 7), max_size=3).map(tuple), max_size=4))
def test_what_an_instance_missed_is_what_was_rejected_when_all_is_done(orders: list[Any]) -> None:
    run = begin(Stack(process_manager_types=[Seller]), *[Order("1", counts) for counts in orders])
    steps, missed = [], []
    while not run.idle:
        step, run = advance_watched(run)
        steps.append(step)
        if step.kind == "Refused":
            missed.append(step.rejected.details["count"])
    seller = run.stack.process_managers.get("Seller-1", Seller("1"))
    assert list(seller.missed) == missed


def test_a_store_that_keeps_events_only_refuses_such_a_class_by_name() -> None:
    problem = r"Seller\.apply takes a Rejected, but .* keeps no rejections.* Use SQLEventStore"
    with pytest.raises(InvalidModel, match=problem):
        Stack(process_manager_types=[Seller], event_store=OutsideEvents())


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("12"), st.lists(st.integers(0, 7), max_size=3)), max_size=7))
def test_states_are_rebuilt_with_the_rejections_in_their_order(orders: list[Any]) -> None:
    stack = Stack(process_manager_types=[Seller])
    for shop, counts in orders:
        stack = dispatch(stack, Close(shop) if 0 in counts else Order(shop, tuple(counts)))
    for again in (rebuild(stack), recover(stack).stack):
        assert again.process_managers == stack.process_managers


def test_a_lab_shows_what_a_rejection_changed() -> None:
    classes = {"aggregates": [Shop], "commands": [Order, Sell, Close], "process_managers": [Seller]}
    lab = Lab(**classes)
    lab.send(Order("1", (9,)))
    lab.resume()
    assert lab.process_managers["Seller-1"].missed == (9,)
    assert not near_misses(Model.of([Shop, Order, Sell, Seller]))
