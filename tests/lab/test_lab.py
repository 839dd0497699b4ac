"""The notebook's face, in a plain script without a front end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from calamity_lab import Lab, Rejected, Stack, command, seeded_ids, ticking_clock
from calamity_lab.errors import (
    CalamityError,
    IdleRun,
    InvalidModel,
    InvalidValue,
    OutOfRange,
    UnknownArgument,
    UnresolvedTarget,
)
from calamity_lab.examples import bank
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.steps import Refused


@pytest.fixture
def lab() -> Lab:
    stack = Stack(
        aggregates={"BankAccount-1": BankAccount("1", balance=100), "BankAccount-2": BankAccount("2")}
    )
    return Lab(bank, stack=stack, ids=seeded_ids(7), clock=ticking_clock())


def test_sending_puts_commands_on_the_agenda_and_nothing_happens(lab: Lab) -> None:
    agenda = lab.send(DepositFunds("1", 5), WithdrawFunds("1", 6))
    assert agenda == [DepositFunds("1", 5), WithdrawFunds("1", 6)]
    assert (lab.cursor, len(lab.trace), len(lab.events)) == (0, 1, 0)


def test_a_transfer_is_stepped_command_by_command_and_back(lab: Lab) -> None:
    lab.send(RequestTransfer("t1", "1", "2", 60))
    lab.step()
    assert lab.process_managers["Transfer-t1"].stage == "initiated"
    assert lab.aggregates["BankAccount-1"].balance == 100
    lab.step()
    assert lab.aggregates["BankAccount-1"].balance == 40
    lab.step()
    assert lab.aggregates["BankAccount-2"].balance == 60
    assert "Transfer-t1" not in lab.process_managers
    assert not lab.agenda
    lab.restart()
    assert (lab.cursor, lab.aggregates["BankAccount-1"].balance, len(lab.events)) == (0, 100, 0)


def test_step_is_another_name_of_step_over(lab: Lab) -> None:
    lab.send(DepositFunds("1", 5), DepositFunds("1", 6))
    over = lab.step_over()
    lab.restart()
    assert lab.step() == over
    assert lab.aggregates["BankAccount-1"].balance == 105


def test_step_out_and_resume_reach_the_same_end(lab: Lab) -> None:
    lab.send(RequestTransfer("t1", "1", "2", 60))
    end = lab.step_out()
    lab.restart()
    assert lab.resume() == end
    assert len(lab.trace) - 1 == lab.cursor == end.index


def test_a_rejection_is_a_step_and_changes_nothing(lab: Lab) -> None:
    lab.send(WithdrawFunds("1", 1000))
    lab.resume()
    rejected = [step for step in lab.steps if isinstance(step, Refused)]
    assert isinstance(rejected[0].rejected, Rejected)
    assert lab.aggregates["BankAccount-1"].balance == 100
    assert len(lab.events) == 0


def test_acting_in_the_past_begins_a_branch(lab: Lab) -> None:
    lab.send(DepositFunds("1", 5))
    lab.resume()
    lab.goto(0)
    lab.send(DepositFunds("1", 7))
    lab.resume()
    assert list(lab.branches) == ["main", "branch 1"]
    assert lab.aggregates["BankAccount-1"].balance == 112
    lab.switch("main")
    assert lab.goto(-1).stack.aggregates["BankAccount-1"].balance == 105


def test_the_agenda_can_be_put_in_another_order_and_shortened(lab: Lab) -> None:
    lab.send(DepositFunds("1", 5), WithdrawFunds("1", 6), DepositFunds("2", 7))
    assert lab.choose(2)[0] == DepositFunds("2", 7)
    assert lab.drop(0) == [DepositFunds("1", 5), WithdrawFunds("1", 6)]


def test_the_same_seed_and_clock_give_the_same_run() -> None:
    def run() -> list[Any]:
        lab = Lab(bank, ids=seeded_ids(3), clock=ticking_clock())
        lab.send(*bank.story())
        lab.resume()
        return list(lab.events)

    assert run() == run()


def test_a_lab_takes_classes_as_well_as_a_module() -> None:
    lab = Lab(aggregates=[BankAccount], process_managers=[Transfer])
    lab.send(DepositFunds("1", 5))
    assert lab.resume().stack.aggregates["BankAccount-1"].balance == 5
    assert DepositFunds in lab.model.commands


def test_everything_that_a_cell_can_end_with_shows_itself(lab: Lab) -> None:
    lab.send(RequestTransfer("<b>t1</b>", "1", "2", 60))
    lab.step()
    assert repr(lab) == "Lab at moment 5 of 5: 2 aggregates, 1 event, 1 pending command"
    assert repr(lab.moment) == (
        "Step 5: RequestTransfer accepted, 1 event, BankAccount-1 is unchanged; completed"
    )
    assert "BankAccount-1" in repr(lab.aggregates)
    assert "1 pending command" in repr(lab.agenda)
    assert "Step 3: TransferInitiated recorded in BankAccount-1 at position 1" in repr(lab.steps)
    for shown in (lab.aggregates, lab.process_managers, lab.agenda, lab.steps, lab.events):
        html = shown._repr_html_()
        assert "<table" in html
        assert "<b>t1" not in html
    assert lab.aggregates._ipython_key_completions_() == ["BankAccount-1", "BankAccount-2"]


def test_each_cell_of_marimo_has_a_composite_of_its_own(lab: Lab) -> None:
    shown = [lab._display_(), lab._display_()]
    assert shown[0] is not shown[1]
    assert {widget.face for widget in shown} == {"lab"}


def test_what_is_true_at_the_cursor_can_be_had_as_tables(lab: Lab) -> None:
    lab.send(RequestTransfer("t1", "1", "2", 60))
    lab.resume()
    assert len(lab.history.to_pandas()) == 3
    assert len(lab.steps.to_pandas()) == lab.cursor
    balances = lab.aggregates.to_pandas().groupby("stream_id").balance.last().to_dict()
    assert balances == {"BankAccount-1": 40, "BankAccount-2": 60}
    assert not lab.process_managers.to_pandas().empty
    assert lab.to_networkx().number_of_nodes() == 6


def test_figures_take_axes_and_give_them_back(lab: Lab) -> None:
    from matplotlib.figure import Figure

    lab.send(RequestTransfer("t1", "1", "2", 60))
    lab.resume()
    ax = Figure().subplots()
    assert lab.plot_timeline(ax=ax) is ax
    assert lab.plot_process_managers(ax=Figure().subplots()).get_title() is not None


@dataclass(frozen=True)
class Stray:
    account_id: str


@command(to="Nowhere", by="account_id")
@dataclass(frozen=True)
class Lost:
    account_id: str


@pytest.mark.parametrize(
    ("sent", "error", "words"),
    [
        (Stray("1"), UnresolvedTarget, "use @command"),
        (Lost("1"), UnresolvedTarget, "no class of that name"),
        (DepositFunds, InvalidValue, r"found the class DepositFunds; make an instance"),
        ([DepositFunds("1", 5)], InvalidValue, r"found a list; write send\(\*commands\)"),
        (DepositFunds(None, 5), UnresolvedTarget, "an id, not None"),  # type: ignore[arg-type]
    ],
)
def test_a_command_that_cannot_be_dispatched_is_rejected_when_sent(
    lab: Lab, sent: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        lab.send(DepositFunds("1", 5), sent)
    assert len(lab.agenda) == 0


def test_a_command_of_a_class_defined_again_is_rejected_with_what_to_do(lab: Lab) -> None:
    again = type("DepositFunds", (DepositFunds,), {})
    with pytest.raises(InvalidModel, match=r"DepositFunds was defined again, .* Run %lab again"):
        lab.send(again("1", 5))


def test_mistaken_calls_are_said() -> None:
    lab = Lab(bank)
    with pytest.raises(UnknownArgument, match="'proces_managers'; did you mean 'process_managers'"):
        Lab(aggregates=[BankAccount], proces_managers=[Transfer])
    with pytest.raises(IdleRun, match=r"lab\.send\(command\)"):
        lab.step()
    with pytest.raises(OutOfRange, match="moments 0 to 0"):
        lab.goto(3)
    with pytest.raises(InvalidValue, match="there is no aggregate 'BankAccount-9' at this moment"):
        lab.aggregates["BankAccount-9"]
    assert lab.cursor == 0


def test_a_plain_script_needs_no_front_end() -> None:
    script = (
        "import sys; from calamity_lab import Lab; from calamity_lab.examples import bank\n"
        "lab = Lab(bank); lab.send(*bank.story()); lab.resume(); print(lab)\n"
        "heavy = {'pandas', 'matplotlib', 'ipywidgets', 'anywidget', 'networkx', 'IPython'}\n"
        "assert not heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Lab at moment")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda lab: lab.step(5), r"step_over\(5\): write step\(\), which runs one command"),
        (lambda lab: lab.step(times=5), r"step_over\(times=5\): write step\(\)"),
        (lambda lab: lab.step_in(3), r"step_in\(3\): write step_in\(\).*resume\(limit=3\) runs 3 steps"),
        (lambda lab: lab.resume(10), r"resume\(10\): write resume\(\), resume\(limit=10\)"),
        (lambda lab: lab.goto(), r"goto\(\): write goto\(3\)"),
        (lambda lab: lab.at(), r"at\(\): write at\(3\)"),
        (lambda lab: lab.restart(0), r"restart\(0\): write restart\(\)"),
        (lambda lab: lab.abandon("x"), r"abandon\('x'\): write abandon\(\)"),
    ],
)
def test_a_move_with_arguments_that_do_not_fit_says_what_to_write(
    call: Callable[[Any], object], words: str
) -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "Ada"))
    with pytest.raises(UnknownArgument, match=words):
        call(lab)
    assert lab.cursor == 0


def test_a_type_error_of_the_model_is_no_wrong_call() -> None:
    lab = Lab(bank)
    lab.send(bank.CreateAccount("a", "Ada"))

    def until(_moment: Any) -> bool:
        raise TypeError("of the condition")

    with pytest.raises(CalamityError, match="of the condition"):
        lab.resume(until=until)
