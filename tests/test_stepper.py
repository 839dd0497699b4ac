"""A cursor on a trace: forwards and back, and never twice the same computation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from calamity_lab.errors import IdleRun, InvalidValue, ModelError, OutOfRange
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Completed, Dispatched
from calamity_lab.trace import stepper as stepper_module
from calamity_lab.trace.selection import NOTHING, Selection
from calamity_lab.trace.stepper import Stepper
from tests.moments import before


def at_bank(*commands: Any) -> Stepper:
    stepper = Stepper(
        Stack(
            aggregates={"BankAccount-1": BankAccount("1", balance=100), "BankAccount-2": BankAccount("2")},
            process_manager_types=(Transfer,),
            ids=seeded_ids(1),
            clock=ticking_clock(),
        )
    )
    if commands:
        stepper.submit(*commands)
    return stepper


def kinds(stepper: Stepper) -> list[str]:
    return [step.kind for step in stepper.trace.steps]


def test_step_in_is_one_kernel_step() -> None:
    stepper = at_bank(DepositFunds("1", 5))
    stepper.step_in()
    assert kinds(stepper) == ["Dispatched"]
    assert stepper.cursor == 1


def test_step_over_is_one_whole_command() -> None:
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60))
    stepper.step_over()
    assert kinds(stepper)[-1] == "Completed"
    assert [type(c).__name__ for c in stepper.moment.agenda] == ["WithdrawFunds"]


def test_step_over_in_the_middle_of_a_command_ends_that_command() -> None:
    stepper = at_bank(DepositFunds("1", 5), DepositFunds("1", 6))
    stepper.step_in()
    stepper.step_over()
    assert stepper.moment.stack.aggregates["BankAccount-1"].balance == 105


def test_step_out_is_the_command_and_all_that_it_causes() -> None:
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60), DepositFunds("1", 1))
    stepper.step_out()
    accounts = stepper.moment.stack.aggregates
    assert (accounts["BankAccount-1"].balance, accounts["BankAccount-2"].balance) == (40, 60)
    assert list(stepper.moment.agenda) == [DepositFunds("1", 1)]


def test_step_out_goes_the_same_way_along_recorded_moments() -> None:
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60), DepositFunds("1", 1))
    end = stepper.step_out().index
    stepper.resume()
    stepper.restart()
    assert stepper.step_out().index == end


def test_step_out_waits_for_the_family_also_in_an_order_that_the_user_chose() -> None:
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60), DepositFunds("1", 1))
    stepper.step_over()
    stepper.choose(1)
    stepper.restart()
    stepper.step_out()
    assert stepper.moment.stack.aggregates["BankAccount-2"].balance == 60


def test_resume_runs_until_the_agenda_is_empty() -> None:
    stepper = at_bank(*bank.story())
    assert stepper.resume().run.idle
    assert stepper.at_end


def test_resume_stops_at_its_limit_and_where_it_is_said_to() -> None:
    stepper = at_bank(DepositFunds("1", 5), DepositFunds("2", 5))
    assert stepper.resume(limit=3).index == 3
    assert isinstance(stepper.resume(until=lambda m: isinstance(m.step, Completed)).step, Completed)
    with pytest.raises(InvalidValue, match="from 1 on"):
        stepper.resume(limit=0)
    with pytest.raises(InvalidValue, match="give a function of a moment"):
        stepper.resume(until=3)  # type: ignore[arg-type]


def test_stepping_forward_at_the_end_tells_that_there_is_nothing_to_do() -> None:
    stepper = at_bank()
    with pytest.raises(IdleRun, match="the agenda is empty"):
        stepper.step_in()
    assert stepper.cursor == 0


def test_step_back_goes_one_moment_and_step_back_over_one_command() -> None:
    stepper = at_bank(DepositFunds("1", 5), WithdrawFunds("1", 6))
    stepper.resume()
    last = stepper.cursor
    assert stepper.step_back().index == last - 1
    assert stepper.step_back_over().rests
    assert stepper.moment.stack.aggregates["BankAccount-1"].balance == 105
    assert stepper.step_back_over().index == 0
    with pytest.raises(OutOfRange, match="moment 0"):
        stepper.step_back()


@pytest.mark.parametrize("index", [7, -8, 10**9])
def test_a_cursor_out_of_range_is_said_with_the_moments_there_are(index: int) -> None:
    stepper = at_bank(DepositFunds("1", 5))
    stepper.resume()
    with pytest.raises(OutOfRange, match="the moments 0 to 4"):
        stepper.goto(index)
    assert stepper.at_end


@pytest.mark.parametrize("index", [1.0, "1", None, True])
def test_a_cursor_that_is_no_number_is_rejected(index: Any) -> None:
    with pytest.raises(InvalidValue, match="whole number"):
        at_bank().goto(index)


def test_moving_in_the_past_never_runs_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = at_bank(*bank.story())
    stepper.resume()
    before = list(stepper.trace)

    def refuse(*_: Any) -> None:
        raise AssertionError("the kernel ran in the past")

    monkeypatch.setattr(stepper_module, "advance", refuse)
    stepper.restart()
    while not stepper.at_end:
        stepper.step_in()
    stepper.restart()
    stepper.resume()
    assert list(stepper.trace) == before


def test_acting_in_the_past_forks_and_loses_nothing() -> None:
    stepper = at_bank(DepositFunds("1", 5))
    stepper.resume()
    main = list(stepper.trace)
    stepper.goto(before(stepper, "FundsDeposited"))
    stepper.submit(WithdrawFunds("1", 1))
    stepper.resume()
    assert stepper.trace.branch.name == "branch 1"
    assert stepper.moment.stack.aggregates["BankAccount-1"].balance == 104
    stepper.switch("main")
    assert list(stepper.trace) == main


def test_acting_in_the_past_says_that_a_branch_began_or_was_entered_again() -> None:
    stepper = at_bank(DepositFunds("1", 50))
    stepper.resume()
    assert stepper.branching == ""
    stepper.goto(2)
    stepper.submit(WithdrawFunds("1", 5))
    assert stepper.branching == "New branch 'branch 1' from step 2; 'main' is kept"
    stepper.step_in()
    assert stepper.branching == ""
    stepper.submit(WithdrawFunds("1", 6))
    assert stepper.branching == "", "at the end of a branch it goes on"
    stepper.switch("main")
    stepper.goto(2)
    stepper.submit(WithdrawFunds("1", 5))
    assert stepper.branching == "Back on 'branch 1', which did the same here"
    stepper.goto(2)
    stepper.fork("what if")
    assert stepper.branching == "New branch 'what if' from step 2; 'branch 1' is kept"


def test_stepping_on_in_the_past_does_not_fork() -> None:
    stepper = at_bank(DepositFunds("1", 5))
    stepper.resume()
    stepper.restart()
    stepper.step_over()
    assert list(stepper.trace.branches) == ["main"]


def test_sending_at_the_frontier_does_not_fork() -> None:
    stepper = at_bank(DepositFunds("1", 5))
    stepper.resume()
    stepper.submit(DepositFunds("1", 6))
    stepper.resume()
    assert list(stepper.trace.branches) == ["main"]
    assert stepper.moment.stack.aggregates["BankAccount-1"].balance == 111


def test_the_chosen_command_goes_next() -> None:
    stepper = at_bank(DepositFunds("1", 5), WithdrawFunds("1", 6))
    stepper.choose(1)
    assert stepper.step_over().step.command == WithdrawFunds("1", 6)  # type: ignore[union-attr]


def test_observers_hear_of_each_change_once_also_when_it_fails() -> None:
    heard: list[int] = []
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60))
    stop = stepper.observe(lambda: heard.append(stepper.cursor))
    stepper.step_out()
    assert heard == [stepper.cursor]
    with pytest.raises(IdleRun):
        stepper.step_in()
    assert len(heard) == 2
    assert isinstance(stepper.error, IdleRun)
    stop()
    stepper.restart()
    assert len(heard) == 2
    assert stepper.error is None


def test_an_error_of_the_model_leaves_the_cursor_at_the_moment_before() -> None:
    class Broken(BankAccount):
        def execute(self, command: Any) -> Any:
            return 42

    stepper = Stepper(Stack(aggregates={"Broken-1": Broken("1")}))

    @command(to=Broken, by="account_id")
    class Poke:
        account_id = "1"

    stepper.submit(Poke())
    with pytest.raises(ModelError, match=r"Broken\.execute returned 42"):
        stepper.step_over()
    assert (stepper.cursor, stepper.trace.last) == (1, 1)
    assert isinstance(stepper.moment.step, Dispatched)


def test_a_command_in_progress_that_breaks_can_be_abandoned() -> None:
    class Broken(BankAccount):
        def execute(self, command: Any) -> Any:
            return 42 if isinstance(command, Poke) else super().execute(command)

    @command(to=Broken, by="account_id")
    class Poke:
        account_id = "1"

    @command(to=Broken, by="account_id")
    class Deposit(DepositFunds):
        pass

    stepper = Stepper(Stack(aggregates={"Broken-1": Broken("1")}))
    stepper.submit(Poke(), Deposit("1", 5))
    with pytest.raises(ModelError) as caught:
        stepper.resume(wait=True)
    (note,) = caught.value.__notes__
    assert "Fix the class and run %lab, or skip this command with lab.abandon()" in note
    stepper.abandon()
    assert stepper.resume().stack.aggregates["Broken-1"].balance == 5
    assert [branch.name for branch in stepper.trace.branches.values()] == ["main", "branch 1"]
    with pytest.raises(InvalidValue, match="No command is in progress"):
        stepper.abandon()


def test_a_command_sent_by_a_manager_can_be_abandoned_in_the_middle() -> None:
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60))
    stepper.step_over()
    stepper.step_in()
    stepper.step_in()
    stepper.abandon()
    assert stepper.moment.rests
    assert list(stepper.moment.agenda) == []
    assert stepper.moment.stack.process_managers["Transfer-t1"].stage == "initiated"


def test_the_guard_is_asked_once_before_a_move_runs_the_kernel_and_never_in_the_past() -> None:
    asked: list[int] = []
    stepper = at_bank(RequestTransfer("t1", "1", "2", 60))
    stepper.guard = lambda: asked.append(1)
    stepper.resume()
    assert len(asked) == 1
    stepper.restart()
    stepper.resume()
    assert len(asked) == 1


def test_what_is_selected_is_said_to_all_once_and_moves_nothing() -> None:
    stepper = at_bank(DepositFunds("1", 5))
    stepper.step_in()
    text: list[tuple[Selection, int]] = []
    stepper.observe(lambda: text.append((stepper.selection, stepper.cursor)))
    trace = stepper.trace
    stepper.select(Selection(position=1))
    stepper.select(NOTHING)
    assert text == [(Selection(position=1), 1), (NOTHING, 1)]
    assert stepper.trace is trace


def test_what_is_selected_stays_while_one_steps_forks_and_switches() -> None:
    stepper = at_bank(DepositFunds("1", 5), WithdrawFunds("2", 5))
    stepper.select(Selection(stream_id="BankAccount-1"))
    stepper.resume()
    stepper.goto(before(stepper, "FundsDeposited"))
    stepper.drop(0)
    stepper.switch("main")
    stepper.restart()
    assert stepper.selection == Selection(stream_id="BankAccount-1")


def test_an_error_is_not_forgotten_when_something_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper = at_bank(DepositFunds("1", 5))
    monkeypatch.setattr(BankAccount, "execute", lambda self, command: 42)
    with pytest.raises(ModelError):
        stepper.step_over()
    stepper.select(Selection(moment=1))
    assert stepper.is_stuck


class Walk(RuleBasedStateMachine):
    """Whatever is done, a moment once recorded is the same whenever it is looked at again."""

    def __init__(self) -> None:
        super().__init__()
        self.stepper = at_bank()
        self.seen: dict[tuple[str, int], Any] = {}

    @rule(amount=st.integers(1, 200), account=st.sampled_from(["1", "2", "3"]))
    def send(self, amount: int, account: str) -> None:
        self.stepper.submit(WithdrawFunds(account, amount) if amount % 2 else DepositFunds(account, amount))

    @rule(n=st.integers(0, 10**6), amount=st.integers(1, 90))
    def transfer(self, n: int, amount: int) -> None:
        self.stepper.submit(RequestTransfer(f"t{n}", "1", "2", amount))

    @precondition(lambda self: not self.stepper.at_end)
    @rule(verb=st.sampled_from(["step_in", "step_over", "step_out", "resume"]))
    def forward(self, verb: str) -> None:
        move: Callable[[], Any] = getattr(self.stepper, verb)
        move()

    @rule(data=st.data())
    def jump(self, data: st.DataObject) -> None:
        self.stepper.goto(data.draw(st.integers(0, self.stepper.trace.last)))

    @rule(data=st.data())
    def switch(self, data: st.DataObject) -> None:
        self.stepper.switch(data.draw(st.sampled_from(sorted(self.stepper.trace.branches))))

    @precondition(lambda self: len(self.stepper.moment.agenda) > 1)
    @rule()
    def choose(self) -> None:
        self.stepper.choose(len(self.stepper.moment.agenda) - 1)

    @invariant()
    def nothing_changes_afterwards(self) -> None:
        stepper = self.stepper
        at = (stepper.trace.branch.name, stepper.cursor)
        is_frontier = stepper.cursor == stepper.trace.last
        state = (dict(stepper.moment.stack.aggregates), len(stepper.moment.stack.event_store))
        assert self.seen.setdefault(at, state) == state
        assert is_frontier or not stepper.at_end


Walk.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestWalk = Walk.TestCase
