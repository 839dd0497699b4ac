"""Scenarios as assertions: what holds, what fails and how it is shown, and how one opens in a lab."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from calamity_lab import Context, Decider, Lab, RecordedEvent, command, policy
from calamity_lab.errors import InvalidValue, ModelError, UnknownAttribute
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    AccountCreated,
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RefundTransfer,
    RequestTransfer,
    Transfer,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.testing import given
from calamity_lab.testing.scenarios import stream_of
from calamity_lab.text import Source
from tests import holds
from tests.holds import (
    GuestReminded,
    HoldExpired,
    HoldExtended,
    HoldSeat,
    Seat,
    SeatHeld,
    SeatSold,
    SellSeat,
)

CREATED = AccountCreated("1", "Ada")
PAID_IN = FundsDeposited("1", 50)
INITIATED = TransferInitiated("t", "1", "2", 60)
WITHDRAWN = FundsWithdrawn("1", 60, "t")


def failure_of(check: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as failed:
        check()
    return str(failed.value)


def test_the_words_of_a_scenario_about_an_aggregate() -> None:
    scenario = given(CREATED, PAID_IN).when(WithdrawFunds("1", 30))
    scenario.then(FundsWithdrawn("1", 30)).then_state(BankAccount("1", balance=20, name="Ada"))
    given(CREATED, PAID_IN).when(WithdrawFunds("1", 51)).then_rejected("insufficient funds", balance=50)
    given(BankAccount("1", balance=3)).when(WithdrawFunds("1", 3)).then(FundsWithdrawn)
    given().when(CreateAccount("1", "Ada")).then(CREATED)


def test_the_words_of_a_scenario_about_a_process_manager() -> None:
    initiated = given(INITIATED, manager=Transfer)
    initiated.when(WITHDRAWN).then_sends(DepositFunds("2", 60, "t"))
    initiated.when(WITHDRAWN).then_state(Transfer("t", "1", "2", 60, "funds withdrawn"))
    initiated.when(FundsDeposited("2", 60, "t")).then_nothing().then_state()
    given(INITIATED, WITHDRAWN, manager=Transfer).when_rejected(DepositFunds("2", 60, "t")).then_sends(
        RefundTransfer("1", 60, "t")
    )


def test_a_rejection_goes_to_the_instance_that_sent_the_command() -> None:
    others = [replace(INITIATED, transfer_id=other) for other in ("a", "z")]
    started = given(others[0], INITIATED, others[1], manager=Transfer)
    started.when_rejected(WithdrawFunds("1", 60, "t")).then_sends(bank.CancelTransfer("1", "t"))
    with pytest.raises(InvalidValue, match="no running Transfer has sent"):
        started.when_rejected(WithdrawFunds("9", 60, "t")).then_nothing()
    state = Transfer("t", "1", "2", 60, "initiated")
    given(state, manager=Transfer).when_rejected(WithdrawFunds("1", 60, "t")).then_sends(
        bank.CancelTransfer("1", "t")
    )


def test_the_words_of_a_scenario_about_a_whole_model() -> None:
    scenario = given(PAID_IN, model=bank).when(RequestTransfer("t", "1", "2", 30))
    scenario.then_history(TransferInitiated, FundsWithdrawn, FundsDeposited("2", 30, "t"))
    scenario.then_state(BankAccount("2", balance=30, status="unopened"))
    streams = {"BankAccount-1": [PAID_IN], "BankAccount-2": [replace(CREATED, account_id="2")]}
    given(streams, model=bank).when(RequestTransfer("t", "1", "2", 30)).then_state(
        BankAccount("2", 30, "Ada"), BankAccount("1", 20, status="unopened")
    )
    given(PAID_IN, model=bank).when(RequestTransfer("t", "1", "2", 51)).then_rejected("insufficient funds")


def test_time_passes_in_a_scenario_about_a_whole_model() -> None:
    held, reminded, expired = SeatHeld("A1", "Noor"), GuestReminded("A1"), HoldExpired("A1")
    start = given(model=holds).when(HoldSeat("A1"))
    start.then_history(held)
    start.wait().then_history(held, reminded)
    start.wait(timedelta(minutes=14)).then_history(held, reminded).then_state(Seat("A1", "held"))
    start.wait(datetime(2026, 1, 2, tzinfo=UTC)).then_history(held, reminded, expired)
    sold = start.wait(timedelta(minutes=12)).when(SellSeat("A1"))
    sold.wait(timedelta(days=1)).then_history(held, reminded, SeatSold("A1"))
    late = start.wait(timedelta(minutes=15)).when(SellSeat("A1"))
    late.then_rejected("not held", status="free")
    assert "> not expected: HoldExpired" in failure_of(
        lambda: start.wait(timedelta(hours=1)).then_history(held, reminded)
    )


def test_events_that_are_given_set_their_deadlines() -> None:
    start = given(SeatHeld("A1", "Ada"), model=holds).when(HoldSeat("A2"))
    start.wait().then_history(SeatHeld, GuestReminded("A1"))
    start.wait(datetime(2026, 1, 1, 0, 15, tzinfo=UTC)).then_state(Seat("A1"), Seat("A2", "held"))
    events = [SeatHeld("A1", "Ada"), HoldExtended("A1")]
    extended = given({"Seat-A1": events}, model=holds).when(HoldSeat("A2"))
    extended.wait(timedelta(hours=1)).then_history(
        SeatHeld, GuestReminded("A2"), HoldExpired("A1"), HoldExpired("A2")
    )


def test_a_projection_takes_the_events_in() -> None:
    two = given(CREATED, PAID_IN, FundsDeposited("2", 5), projection=BankTotals)
    two.then_state(BankTotals(accounts=1, held=55))
    assert "> held: expected 5, actual 55" in failure_of(lambda: two.then_state(BankTotals(1, 5)))
    given(projection=BankTotals).then_state(BankTotals())
    keyed = given(PAID_IN, CREATED, FundsDeposited("2", 5), projection=Turnover)
    keyed.then_state(Turnover("1", paid_in=50), Turnover("2", paid_in=5))


def test_each_event_of_both_examples_is_given_to_the_stream_that_it_is_of() -> None:
    for module in (bank, fulfilment):
        lab = Lab(module, checked=False, preview=False)
        lab.send(*module.story())
        lab.resume()
        for recorded in lab.history:
            assert stream_of(recorded.event, lab.model) == recorded.stream_id


def test_a_field_that_differs_is_marked_and_the_call_that_opens_the_scenario_is_shown() -> None:
    text = failure_of(lambda: given(PAID_IN).when(WithdrawFunds("1", 30)).then(FundsWithdrawn("1", 31)))
    assert re.findall(r"^ *> (.*)", text, re.MULTILINE) == [
        "FundsWithdrawn",
        "amount: expected 31, actual 30",
    ]
    assert "      account_id: '1'\n" in text
    assert text.endswith('Lab(given(FundsDeposited("1", 50)).when(WithdrawFunds("1", 30)))')


@pytest.mark.parametrize(
    ("check", "shown"),
    [
        (lambda s: s.then(), "> not expected: FundsWithdrawn(account_id='1', amount=30"),
        (lambda s: s.then_nothing(), "> not expected: FundsWithdrawn(account_id='1', amount=30"),
        (lambda s: s.then(FundsWithdrawn, CREATED), "> missing:      AccountCreated(account_id='1'"),
        (
            lambda s: s.then(FundsDeposited),
            "> expected:     any FundsDeposited\n  actual:       FundsWithdrawn(",
        ),
        (
            lambda s: s.then_rejected("no", balance=1),
            "expected: rejected: no (balance 1)\nactual:   FundsWithdr",
        ),
        (lambda s: s.then_state(BankAccount("1", 20)), "> status: expected 'open', actual 'unopened'"),
    ],
)
def test_what_was_expected_and_what_happened_are_shown(check: Callable[[Any], object], shown: str) -> None:
    assert shown in failure_of(lambda: check(given(PAID_IN).when(WithdrawFunds("1", 30))))


def test_another_rejection_and_one_that_nobody_expected_are_shown() -> None:
    rejected = given(PAID_IN).when(WithdrawFunds("1", 51))
    assert "> reason: expected 'no', actual 'insufficient funds'" in failure_of(
        lambda: rejected.then_rejected("no")
    )
    text = failure_of(lambda: rejected.then_rejected("insufficient funds", balance=3))
    assert "  reason: 'insufficient funds'\n> balance: expected 3, actual 50" in text
    for check in (lambda: rejected.then(FundsWithdrawn), rejected.then_nothing):
        assert "actual:   rejected: insufficient funds (balance 50)" in failure_of(check)
    rejected.then_state(BankAccount("1", 50, status="unopened"))


def test_commands_and_histories_that_differ_are_shown() -> None:
    sends = given(INITIATED, manager=Transfer).when(WITHDRAWN)
    assert "> account_id: expected '1', actual '2'" in failure_of(
        lambda: sends.then_sends(DepositFunds("1", 60, "t"))
    )
    whole = given(PAID_IN, model=bank).when(RequestTransfer("t", "1", "2", 30))
    text = failure_of(lambda: whole.then_history(TransferInitiated, FundsWithdrawn))
    assert "> not expected: FundsDeposited(account_id='2'" in text
    assert 'Lab(given(FundsDeposited("1", 50), model=bank)' in text
    assert "> missing:      BankAccount(account_id='2', balance=3" in failure_of(
        lambda: given(PAID_IN, model=bank).when(DepositFunds("1", 1)).then_state(BankAccount("2", 3))
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: given(WithdrawFunds("1", 3)), "is a command; write .when(WithdrawFunds(...))"),
        (lambda: given([CREATED]), "as separate arguments, found a list; write given(*events)"),
        (lambda: given(3), "given(event=3)"),
        (lambda: given(FundsDeposited), "found the class FundsDeposited; make an instance"),
        (lambda: given(manager=bank), "a class with interested and handle"),
        (lambda: given(manager=Transfer, model=bank), "one of manager and model"),
        (lambda: given(projection=BankAccount).when(3), "then_state"),
        (lambda: given().when(CREATED), "has no aggregate()"),
        (lambda: given().when(WithdrawFunds), "make an instance: WithdrawFunds(...)"),
        (
            lambda: given().when(WithdrawFunds("1", 1)).when(WithdrawFunds("1", 1)),
            "a scenario has one command",
        ),
        (lambda: given().then(CREATED), "then() comes after when(...)"),
        (lambda: given().then_state(CREATED), "comes after when(...)"),
        (lambda: given(manager=Transfer).when(WithdrawFunds("1", 1)), "give model= in place of manager="),
        (lambda: given().when_rejected(WithdrawFunds("1", 1)), "is for process managers"),
        (lambda: given(manager=Transfer).when_rejected(CREATED), "the command that is rejected"),
        (lambda: given().when(WithdrawFunds("1", 1)).then_sends(), "given(..., manager=Transfer)"),
        (lambda: given().when(WithdrawFunds("1", 1)).then_history(), "given(..., model=bank)"),
        (lambda: given(manager=Transfer).when(CREATED).then(), "then_sends(command)"),
        (lambda: given(manager=Transfer).when(CREATED).then_rejected(), "when_rejected("),
        (lambda: given(BankAccount("1"), CREATED).when(DepositFunds("1", 1)).then(), "give one state of a"),
        (
            lambda: given(INITIATED, CREATED, Strange("x"), model=bank).when(DepositFunds("1", 1)).then(),
            "'Bank",
        ),
        (lambda: given(now="noon"), "ISO 8601"),
        (lambda: given().wait(), "wait() comes after when(...)"),
        (lambda: given().when(DepositFunds("1", 1)).wait(), "write given(..., model=bank)"),
        (lambda: given(model=bank).when(DepositFunds("1", 1)).wait().then(), "no deadline is set"),
        (lambda: given(model=bank).when(DepositFunds("1", 1)).wait(3).then(), "timedelta(days=1)"),
    ],
)
def test_bad_input_is_told_with_what_to_write(call: Callable[[], object], message: str) -> None:
    with pytest.raises((InvalidValue, UnknownAttribute)) as error:
        call()
    assert message in str(error.value)


@dataclass(frozen=True)
class Strange:
    strange: str


@dataclass(frozen=True)
class Stamped:
    clock_id: str
    at: datetime
    by: str
    number: str


@command(to="Stamp", by="clock_id")
@dataclass(frozen=True)
class PressStamp:
    clock_id: str


@dataclass(frozen=True)
class Stamp:
    clock_id: str
    last: datetime | None = None

    @classmethod
    def new(cls, clock_id: str) -> Self:
        return cls(clock_id)

    def execute(self, command: PressStamp, context: Context) -> Stamped:
        return Stamped(self.clock_id, context.now, context.metadata.get("user", ""), context.new_id())

    def apply(self, event: Stamped, recorded: RecordedEvent) -> Self:
        return replace(self, last=recorded.recorded_at)


def test_a_callback_gets_the_time_the_metadata_and_what_was_recorded() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    scenario = given(now=noon).when(PressStamp("a"), metadata={"user": "ada"}, command_id="c-1")
    stamped = scenario.events[0]
    assert (stamped.at, stamped.by) == (noon, "ada")
    scenario.then_state(Stamp("a", last=noon))
    again = given(now=noon).when(PressStamp("a"), metadata={"user": "ada"}, command_id="c-1")
    again.then(stamped)


def test_deciders_and_policies_have_scenarios_too() -> None:
    decider = Decider(
        "Counter",
        0,
        lambda command, state: Counted(command.counter, state + 1),
        lambda state, event: event.now,
    )
    given(Counted("a", 4)).when(Count("a", decider)).then(Counted("a", 5)).then_state(decider("a", 5))

    @policy
    def count_on(event: Counted) -> Count:
        return Count(event.counter, decider)

    given(manager=count_on).when(Counted("a", 1)).then_sends(Count("a", decider))


@dataclass(frozen=True)
class Counted:
    counter: str
    now: int


@dataclass(frozen=True)
class Count:
    counter: str
    of: Any

    def aggregate(self) -> tuple[Any, str]:
        return self.of, self.counter


def test_an_error_of_the_model_comes_through() -> None:
    with pytest.raises(ModelError, match=r"BankAccount\.execute"):
        given(PAID_IN).when(DepositFunds("1", None)).then(FundsDeposited)  # type: ignore[arg-type]


def test_a_scenario_opens_in_a_lab_before_its_command() -> None:
    lab = Lab(given(CREATED, PAID_IN).when(WithdrawFunds("1", 30)))
    assert (lab.cursor, list(lab.agenda)) == (0, [WithdrawFunds("1", 30)])
    lab.resume()
    assert lab.aggregates["BankAccount-1"].balance == 20
    waiting = Lab(given(INITIATED, manager=Transfer).when(WITHDRAWN))
    waiting.step_in()
    assert list(waiting.agenda) == [DepositFunds("2", 60, "t")]
    refunding = Lab(given(INITIATED, WITHDRAWN, manager=Transfer).when_rejected(DepositFunds("2", 60, "t")))
    refunding.step_in()
    assert list(refunding.agenda) == [RefundTransfer("1", 60, "t")]
    whole = Lab(given(PAID_IN, model=bank).when(RequestTransfer("t", "1", "2", 30)))
    whole.resume()
    assert whole.aggregates["BankAccount-2"].balance == 30


def test_a_scenario_is_written_as_the_code_that_makes_it() -> None:
    scenarios = [
        given(CREATED, PAID_IN, now="2026-03-01").when(WithdrawFunds("1", 30), metadata={"user": "ada"}),
        given(INITIATED, manager=Transfer).when(WITHDRAWN),
        given(INITIATED, WITHDRAWN, manager=Transfer).when_rejected(
            DepositFunds("2", 60, "t"), "no", balance=2
        ),
        given({"BankAccount-1": [PAID_IN]}, model=bank).when(DepositFunds("1", 1), command_id="c"),
        given(model=holds)
        .when(HoldSeat("A1"))
        .wait()
        .wait(timedelta(minutes=1))
        .when(SellSeat("A1"), command_id="sell"),
    ]
    for scenario in scenarios:
        source = Source()
        code = str(scenario.code(source))
        space: dict[str, Any] = {"given": given}
        exec("\n".join(source.imports()), space)
        again = eval(code, space)
        assert (again.given, again.message, again.metadata, again.later) == (
            scenario.given,
            scenario.message,
            scenario.metadata,
            scenario.later,
        )
