"""Comparisons of branches: where they part, which events and commands both have, where the states differ."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from random import Random
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import CalamityError, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import CreateAccount, DepositFunds, WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.schema import field_names
from calamity_lab.lab.lab import Lab
from calamity_lab.lab.results import Comparison
from calamity_lab.trace.replay import Course
from calamity_lab.trace.trace import Branch
from tests.hostile import MARKUP
from tests.junk import JUNK
from tests.trace.test_replay import wander

KINDS = ("aggregates", "process_managers", "projections")


def wandered(seed: int) -> Lab:
    """A lab on which somebody chose, dropped, forked and replayed with edits."""
    random = Random(seed)
    module, commands = random.choice(
        [
            (bank, list(bank.random_commands(12, seed=seed, accounts=3))),
            (fulfilment, list(fulfilment.story())[:6]),
        ]
    )
    lab = Lab(module, ids=seeded_ids(seed), clock=ticking_clock(), checked=False)
    wander(lab, commands, random)
    for _ in range(2):
        lab.switch(random.choice(list(lab.branches)))
        numbers = range(len(lab.submitted))
        edits: list[dict[str, Any]] = [{}]
        edits += [{"without": number} for number in numbers]
        edits += [{"move": {number: random.choice(numbers)}} for number in numbers]
        lab.replay(**random.choice(edits))
    return lab


def pairs(lab: Lab, random: Random) -> list[tuple[Branch, Branch]]:
    found = list(combinations(lab.branches.values(), 2))
    return random.sample(found, min(len(found), 4))


def states_of(lab: Lab, branch: Branch, moment: int) -> dict[tuple[str, str], Any]:
    """Every state at a moment, by kind and stream id."""
    at = lab.at(branch.moments[moment])
    return {(kind, name): state for kind in KINDS for name, state in getattr(at, kind).items()}


def walked(one: dict[tuple[str, str], Any], other: dict[tuple[str, str], Any]) -> set[tuple[str, str, str]]:
    """The fields in which states differ, by a plain walk over both."""
    found = set()
    for kind, name in {**one, **other}:
        a, b = one.get((kind, name)), other.get((kind, name))
        if a is None or b is None:
            found.add((kind, name, ""))
        else:
            found |= {
                (kind, name, each)
                for each in field_names(type(a)) or ()
                if getattr(a, each) != getattr(b, each)
            }
    return found


def named(comparison: Comparison) -> set[tuple[str, str, str]]:
    kinds = {"aggregate": KINDS[0], "process manager": KINDS[1], "projection": KINDS[2]}
    return {(kinds[row.kind], row.stream_id, row.field) for row in comparison.state}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_a_branch_compared_with_itself_differs_in_nothing(seed: int) -> None:
    lab = wandered(seed)
    for name in lab.branches:
        comparison = lab.compare(name, name)
        assert (bool(comparison), comparison.diverged_at, len(comparison.to_pandas())) == (False, None, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_comparison_names_exactly_the_fields_in_which_the_states_differ(seed: int) -> None:
    lab, random = wandered(seed), Random(seed)
    for a, b in pairs(lab, random):
        ends = len(a.moments) - 1, len(b.moments) - 1
        some = random.randrange(min(ends) + 1)
        for at, moments in ((None, ends), (some, (some, some))):
            one, other = (
                states_of(lab, branch, moment) for branch, moment in zip((a, b), moments, strict=True)
            )
            comparison = lab.compare(a.name, b.name, at=at)
            assert named(comparison) == walked(one, other)
            assert all(
                (row.a, row.b) == tuple(getattr(side, row.field) for side in states)
                for row in comparison.state
                if row.field
                for states in [(stack_state(a, moments[0], row), stack_state(b, moments[1], row))]
            )


def stack_state(branch: Branch, moment: int, row: Any) -> Any:
    stack = branch.moments[moment].stack
    return {**stack.aggregates, **stack.process_managers, **branch.index.projected_at(moment)}[row.stream_id]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_a_comparison_is_the_same_from_both_sides(seed: int) -> None:
    swapped = {"only in a": "only in b", "only in b": "only in a"}
    lab = wandered(seed)
    for a, b in pairs(lab, Random(seed)):
        one, other = lab.compare(a, b), lab.compare(b, a)
        assert one.diverged_at == other.diverged_at
        assert {(row.status, id(row.a), id(row.b)) for row in one.events} == {
            (swapped.get(row.status, row.status), id(row.b), id(row.a)) for row in other.events
        }
        assert {(row.status, row.moment_a, row.moment_b) for row in one.commands} == {
            (swapped.get(row.status, row.status), row.moment_b, row.moment_a) for row in other.commands
        }
        assert {(row.status, row.index_a, row.index_b) for row in one.pending} == {
            (swapped.get(row.status, row.status), row.index_b, row.index_a) for row in other.pending
        }
        assert named(one) == named(other)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_every_event_of_both_branches_is_in_one_row_and_the_same_happened_up_to_where_they_part(
    seed: int,
) -> None:
    lab = wandered(seed)
    for a, b in pairs(lab, Random(seed)):
        comparison = lab.compare(a, b)
        known = comparison.shared_events
        assert list(a.index.events.take(known)) == list(b.index.events.take(known))
        for side, branch in (("a", a), ("b", b)):
            there = [getattr(row, side) for row in comparison.events if getattr(row, side) is not None]
            assert sorted(each.position for each in there) == [
                each.position for each in branch.index.events.iterate(known)
            ]
        for row in comparison.events:
            if row.status == "same":
                assert row.a is not None
                assert row.b is not None
                assert (row.a.event, row.a.stream_id) == (row.b.event, row.b.stream_id)
        upto = comparison.diverged_at
        upto = len(a.moments) - 1 if upto is None else upto
        ours, theirs = ([happened(each) for each in side.moments.iterate(0, upto + 2)] for side in (a, b))
        assert ours[: upto + 1] == theirs[: upto + 1]
        assert (
            comparison.diverged_at is None
            or upto + 1 in (len(a.moments), len(b.moments))
            or (ours[upto + 1] != theirs[upto + 1] or comparison.pending or comparison.commands)
        )


def happened(moment: Any) -> Any:
    """What happened at a step, without ids, times and positions."""
    step = moment.step
    if step is None:
        return None
    return step.kind, step.stream_id, step.command, step.after, [each.event for each in step.recorded]


def told_bank() -> Lab:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(*bank.story())
    lab.resume()
    return lab


def test_what_an_edit_changed_is_named_on_both_branches() -> None:
    lab = told_bank()
    lab.replay(edit={3: {"amount": 70}}, name="poor")
    comparison = lab.compare("main", "poor")
    assert lab.trace[comparison.diverged_at].step.kind == "Completed"
    assert lab.trace[comparison.diverged_at + 1].step.command == DepositFunds("alice", 70)
    rows = [(row.status, row.event_type, row.differs) for row in comparison.events]
    assert [row for row in rows if row[0] != "same"][:2] == [
        ("changed", "FundsDeposited", "amount: 10000 → 70"),
        ("only in a", "TransferInitiated", ""),
    ]
    assert ("same", "AccountClosed", "") in rows
    assert [(row.stream_id, row.field, row.a, row.b) for row in comparison.state] == [
        ("BankAccount-alice", "balance", 4000, 70),
        ("BankAccount-bob", "balance", 5000, 0),
    ]
    transfer = next(row for row in comparison.commands if row.command_type == "RequestTransfer")
    assert (transfer.status, transfer.outcome_a, transfer.outcome_b) == (
        "changed",
        "TransferInitiated",
        "rejected: insufficient funds (balance 70)",
    )


def test_a_command_that_is_sent_again_on_a_fork_is_the_same_command_though_its_id_is_another() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(CreateAccount("alice", "Alice"))
    lab.resume()
    start = lab.cursor
    for amount in (10, 20, 30):
        lab.send(DepositFunds("alice", amount))
        lab.resume()
    lab.goto(start)
    lab.drop(0)
    for amount in (20, 30):
        lab.send(DepositFunds("alice", amount))
        lab.resume()
    comparison = lab.compare("main")
    statuses = [(row.status, (row.a or row.b).event.amount) for row in comparison.events]
    assert statuses == [("only in a", 10), ("same", 20), ("same", 30)]
    assert comparison.diverged_at == start


def test_a_replay_that_decides_the_same_again_never_parts_from_its_branch() -> None:
    lab = told_bank()
    lab.replay(name="again")
    comparison = lab.compare("main")
    assert (comparison.diverged_at, bool(comparison)) == (None, False)
    assert {row.status for row in comparison.events} == {"same"}
    assert repr(comparison) == "'main' and 'again' never part; nothing differs"


def test_pending_commands_that_differ_are_named_also_where_only_their_order_does() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(CreateAccount("alice", "Alice"), DepositFunds("alice", 1), WithdrawFunds("alice", 2))
    lab.step()
    lab.fork("what if")
    lab.choose(1)
    assert [(row.status, row.command_type) for row in lab.compare("main").pending] == [
        ("moved", "DepositFunds"),
        ("moved", "WithdrawFunds"),
    ]
    lab.drop(0)
    comparison = lab.compare("main")
    assert [(row.status, row.command_type) for row in comparison.pending] == [("only in a", "WithdrawFunds")]
    assert (comparison.diverged_at, bool(comparison)) == (lab.cursor, True)
    assert not lab.compare("main", at=2).pending


def test_a_stream_that_only_one_branch_has_is_one_row() -> None:
    lab = Lab(bank, ids=seeded_ids(7), clock=ticking_clock())
    lab.send(CreateAccount("alice", "Alice"))
    lab.resume()
    lab.goto(0)
    lab.fork("empty")
    [row] = lab.compare("main").state
    assert (row.stream_id, row.field, row.status) == ("BankAccount-alice", "", "only in a")
    assert row.a == lab.branches["main"].moments[-1].stack.aggregates["BankAccount-alice"]


def test_moments_that_both_share_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = told_bank()
    lab.send(DepositFunds("alice", 1))
    lab.resume()
    lab.replay(without=len(lab.submitted) - 1, name="less")
    taken: list[int] = []
    take = Course.take
    monkeypatch.setattr(Course, "take", lambda self, step: (taken.append(step.index), take(self, step)))
    comparison = lab.compare("main")
    assert comparison.diverged_at is not None
    assert taken == list(range(comparison.diverged_at + 1, len(lab.branches["main"].moments)))


GARAGE = """
from dataclasses import dataclass, field
from enum import Enum
from calamity_lab.kernel.messages import command

class Colour(Enum):
    RED = 1
    BLUE = 2

@dataclass(frozen=True)
class Part:
    name: str
    price: int = {price}

@dataclass(frozen=True)
class Fitted:
    id: str
    part: Part

@command(to="Car", by="id")
@dataclass(frozen=True)
class Fit:
    id: str
    name: str

@dataclass(frozen=True)
class Car:
    id: str
    parts: tuple = ()
    colours: frozenset = frozenset({{Colour.RED}})
    by_colour: dict = field(default_factory=dict)

    @classmethod
    def new(cls, id):
        return cls(id)

    def execute(self, command):
        return Fitted(command.id, Part(command.name))

    def apply(self, event):
        return Car(self.id, (*self.parts, event.part), self.colours, {{Colour.BLUE: event.part}})
"""


def garage(price: int) -> Lab:
    """A lab on classes that were defined anew, as after a reload."""
    module: dict[str, Any] = {"__name__": "garage"}
    exec(compile(GARAGE.format(price=price), "garage", "exec", dont_inherit=True), module)
    lab = Lab(aggregates=[module["Car"]], commands=[module["Fit"]], ids=seeded_ids(7), clock=ticking_clock())
    lab.send(module["Fit"]("1", "wheel"), module["Fit"]("1", "door"))
    lab.resume()
    return lab


def test_two_definitions_of_a_class_are_compared_by_their_fields() -> None:
    lab, other = garage(5), garage(5)
    assert not lab.compare(other.trace.branch)
    comparison = lab.compare(garage(7).trace.branch)
    assert [(row.stream_id, row.field) for row in comparison.state] == [
        ("Car-1", "parts"),
        ("Car-1", "by_colour"),
    ]
    assert {(row.status, row.differs) for row in comparison.events} == {("changed", "part.price: 7 → 5")}
    assert {row.in_words() for row in comparison.commands} == {("Fitted", "Fitted.part.price: 7 → 5")}


class Refusing:
    """A value whose comparison raises."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = None  # type: ignore[assignment]


class Undecided(Refusing):
    """A value whose comparison gives no bool."""

    def __eq__(self, other: object) -> Any:
        return SimpleNamespace(text="perhaps")


class Slotted:
    """A value without a comparison of its own, and without a dict."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass(frozen=True)
class Kept:
    id: str
    text: str


@command(to="Box", by="id")
@dataclass(frozen=True)
class Keep:
    id: str
    text: str


@dataclass(frozen=True)
class Box:
    id: str
    odd: Any = None
    known: Any = field(default_factory=dict)

    @classmethod
    def new(cls, aggregate_id: str) -> Box:
        return cls(aggregate_id)

    def execute(self, given: Keep) -> Kept:
        return Kept(given.id, given.text)

    def apply(self, event: Kept) -> Box:
        odd = [kind(event.text) for kind in (Refusing, Undecided, Slotted)]
        return replace(self, odd=odd, known=MappingProxyType({1: event.text}))


def test_values_whose_comparison_raises_or_gives_no_bool_are_compared_by_what_they_hold() -> None:
    lab = Lab(aggregates=[Box], commands=[Keep], ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    lab.send(Keep("1", "a"))
    lab.resume()
    lab.replay(name="same")
    assert not lab.compare("main").state
    lab.replay(edit={0: {"text": "b"}}, name="other")
    assert [row.field for row in lab.compare("main").state] == ["odd", "known"]


@pytest.mark.parametrize("value", JUNK, ids=lambda value: type(value).__name__)
def test_what_is_no_branch_and_no_moment_is_refused(value: Any) -> None:
    lab = told_bank()
    if not (type(value) is str and value == "main"):
        with pytest.raises(CalamityError):
            lab.compare(value)
    if value is not None and type(value) is not int:
        with pytest.raises(CalamityError):
            lab.compare("main", at=value)


def test_the_error_names_the_branches_and_the_moments_that_both_have() -> None:
    lab = told_bank()
    lab.replay(without=3, name="less")
    with pytest.raises(InvalidValue, match="there is no branch 'mian'; there are: main, less"):
        lab.compare("mian")
    with pytest.raises(InvalidValue, match="whole number from 0 to 35"):
        lab.compare("main", at=40)
    assert lab.compare("main", at=35).at == (35, 35)


def test_a_comparison_leaves_the_lab_as_rows_and_shows_itself_escaped() -> None:
    lab = told_bank()
    lab.replay(without=3, name=MARKUP[:90])
    comparison = lab.compare("main")
    frame = comparison.to_pandas()
    assert set(frame.part) == {"event", "command", "state"}
    assert list(frame[frame.part == "state"].b) == [0, 0]
    assert len((comparison.to_json_lines() or "").splitlines()) == len(frame) == len(list(comparison.rows()))
    assert "BankAccount-alice" in (comparison.to_csv() or "")
    html = comparison._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "insufficient funds" in html
