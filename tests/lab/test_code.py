"""Moments as tests and as cells: code that runs, and says what the trace says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, auto
from fractions import Fraction
from random import Random
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calamity_lab import Lab, RecordedEvent, seeded_ids, ticking_clock
from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import DepositFunds, FundsDeposited, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.faults import Redeliver
from calamity_lab.text import Source, code_lines
from tests.moments import after
from tests.trace.test_replay import wander


def run(code: str) -> dict[str, Any]:
    """The names that the code defines."""
    space: dict[str, Any] = {}
    exec(compile(code, "<code>", "exec"), space)
    return space


def passes(code: str) -> None:
    """Run the only test that the code defines."""
    tests = [value for name, value in run(code).items() if name.startswith("test_")]
    assert len(tests) == 1, code
    tests[0]()


def wandered(seed: int) -> Lab:
    random = Random(seed)
    module, commands = random.choice(
        [
            (bank, list(bank.random_commands(10, seed=seed, accounts=3))),
            (fulfilment, list(fulfilment.story())[:6]),
        ]
    )
    lab = Lab(module, ids=seeded_ids(seed), clock=ticking_clock(), checked=False)
    wander(lab, commands, random)
    lab.goto(-1)
    return lab


@settings(max_examples=15, deadline=None)
@example(254531)  # a rejection that nobody answers
@given(st.integers(0, 10**6))
def test_each_step_of_a_random_run_is_a_test_that_passes(seed: int) -> None:
    lab = wandered(seed)
    written = 0
    for moment in range(1, len(lab.trace)):
        try:
            code = lab.to_test(moment)
        except InvalidValue:
            continue  # a fault, or a command that is in progress
        passes(code)
        written += 1
    assert written or len(lab.trace) < 8


@settings(max_examples=25, deadline=None)
@example(408)  # what is pending at the end is dropped there
@given(st.integers(0, 10**6))
def test_a_cell_makes_the_same_lab_and_goes_to_the_same_moment(seed: int) -> None:
    lab = wandered(seed)
    lab.goto(Random(seed).randrange(len(lab.trace)))
    again = run(lab.to_code())["lab"]
    assert again.cursor == lab.cursor
    assert list(again.steps) == list(lab.steps)
    assert list(again.agenda) == list(lab.agenda)
    assert dict(again.aggregates) == dict(lab.aggregates)
    assert dict(again.process_managers) == dict(lab.process_managers)
    assert list(again.events) == list(lab.events)


def told_bank() -> Lab:
    lab = Lab(bank, ids=seeded_ids(1), clock=ticking_clock())
    lab.send(DepositFunds("1", 100), metadata={"user": "ada"})
    lab.send(RequestTransfer("t", "1", "2", 60), WithdrawFunds("1", 60))
    lab.resume()
    return lab


def test_a_test_reads_as_a_person_would_write_it() -> None:
    lab = told_bank()
    assert lab.to_test() == (
        "from calamity_lab.testing import given\n"
        "from calamity_lab.examples.bank.account import (\n"
        "    FundsDeposited,\n    FundsWithdrawn,\n    TransferInitiated,\n    WithdrawFunds,\n)\n"
        "\n\n"
        "def test_withdraw_funds_is_rejected() -> None:\n"
        "    given(\n"
        '        FundsDeposited("1", 100),\n'
        '        TransferInitiated("t", "1", "2", 60),\n'
        '        FundsWithdrawn("1", 60, transfer_id="t"),\n'
        '    ).when(WithdrawFunds("1", 60)).then_rejected("insufficient funds", balance=40)\n'
    )
    manager = lab.to_test(next(step.index for step in lab.steps if step.kind == "Continued"))
    assert "def test_transfer_answers_funds_withdrawn() -> None:" in manager
    assert '.then_sends(DepositFunds("2", 60, transfer_id="t"))' in manager
    assert lab.to_test()._repr_markdown_().startswith("```python\nfrom calamity_lab")


def test_an_event_that_was_delivered_twice_is_given_and_comes_again() -> None:
    lab = told_bank()
    lab.goto(after(lab, "FundsWithdrawn"))
    lab.inject(Redeliver(next(each for each in lab.events if each.event_type == "TransferInitiated")))
    while not lab.trace[lab.cursor].step.is_injected:
        lab.step_in()
    lab.step_in()
    code = lab.to_test()
    assert code.count("TransferInitiated(") == 2
    passes(code)


def test_a_cell_reads_as_a_person_would_write_it() -> None:
    code = told_bank().to_code()
    assert 'clock=ticking_clock("2026-01-01T00:00:00+00:00"),' in code
    assert 'lab.send(DepositFunds("1", 100), metadata={"user": "ada"})' in code
    assert code.endswith("lab.resume()")


def test_what_a_lab_began_with_is_in_the_cell() -> None:
    lab = told_bank()
    later = Lab(bank, stack=lab.trace[-1].stack)
    later.send(WithdrawFunds("1", 40))
    later.resume()
    again = run(later.to_code())["lab"]
    assert list(again.events) == list(later.events)
    passes(later.to_test())


def test_what_has_no_test_says_where_to_go() -> None:
    lab = told_bank()
    with pytest.raises(InvalidValue, match=r"lab\.goto"):
        lab.to_test(0)
    lab.send(DepositFunds("1", object()))  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="is not known"):
        lab.to_code()
    pending = Lab(bank, stack=lab.trace[-1].run)
    with pytest.raises(InvalidValue, match=r"lab\.save"):
        pending.to_code()


# Values as code.


class Colour(Enum):
    RED = "red"
    NONE = None


class Rights(Flag):
    READ = auto()
    WRITE = auto()


@dataclass(frozen=True)
class Inner:
    at: datetime
    colour: Colour = Colour.RED


@dataclass(frozen=True, kw_only=True)
class Named:
    inner: Inner
    several: tuple[Inner, ...] = ()
    tags: frozenset[str] = frozenset()
    found: dict[str, list[int]] = field(default_factory=dict)


class Struct(msgspec.Struct, frozen=True):
    id: UUID
    price: Decimal = Decimal(0)


@attrs.frozen
class Private:
    _hidden: int
    shown: int = 3


class Checked(pydantic.BaseModel):
    name: str
    day: date | None = None


class Pair(NamedTuple):
    one: int
    other: str = "x"


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VALUES = [
    None,
    True,
    -3,
    1.5,
    float("inf"),
    b"\x00a",
    "both \" and '",
    "line\nbreak",
    Colour.NONE,
    Rights.READ | Rights.WRITE,
    Rights(0),
    NOON,
    datetime(2026, 10, 25, 2, 30, 1, 5, tzinfo=ZoneInfo("Europe/Berlin"), fold=1),
    datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-3))),
    date(2026, 3, 1),
    time(9, 30),
    timedelta(days=-1, microseconds=3),
    timedelta(0),
    Decimal("1.50"),
    Fraction(1, 3),
    UUID(int=7),
    [1, [2, (3,)], {}],
    {"a": {1, 2}, 3: set()},
    frozenset({"b", "a"}),
    Inner(NOON, Colour.NONE),
    Named(inner=Inner(NOON), several=(Inner(NOON),), tags=frozenset({"x"}), found={"a": [1]}),
    Struct(UUID(int=1), Decimal("2.5")),
    Private(1, 4),
    Checked(name="a", day=date(2026, 1, 1)),
    Pair(1),
    FundsDeposited,
    Transfer("t", stage="initiated"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("width", [100, 5])
def test_the_code_of_a_value_makes_an_equal_one(value: Any, width: int) -> None:
    source = Source()
    code = "\n".join(code_lines(source.value(value), width))
    made = run("\n".join([*source.imports(), f"value = {code}"]))["value"]
    assert made == value
    assert type(made) is type(value)


def test_a_value_of_which_no_code_is_known_is_named() -> None:
    with pytest.raises(InvalidValue, match="Lab"):
        Source().value([told_bank()])
    assert Source().value(RecordedEvent) == "RecordedEvent"
