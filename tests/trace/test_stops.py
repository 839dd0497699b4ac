"""Every way to step is one loop with a condition that says where to stop."""

from __future__ import annotations

from typing import Any

from calamity_lab.examples.bank import DepositFunds, RequestTransfer, Transfer, WithdrawFunds
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.run import begin
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.stops import EndsCascade, Times, always, ends_command


def stepper_of(*commands: Any) -> Stepper:
    stack = Stack(process_manager_types=(Transfer,), ids=seeded_ids(1), clock=ticking_clock())
    return Stepper(begin(stack, *commands))


CASCADE = (DepositFunds("1", 50), RequestTransfer("t1", "1", "2", 5), WithdrawFunds("1", 1))


def test_any_condition_that_holds_stops_the_run() -> None:
    assert stepper_of(*CASCADE).go(ends_command, Times(2)).index == 2
    assert stepper_of(*CASCADE).go(ends_command, Times(200)).step.kind == "Completed"  # type: ignore[union-attr]
    assert stepper_of(*CASCADE).go(always).index == 1


def test_a_function_of_a_moment_is_a_condition() -> None:
    moment = stepper_of(*CASCADE).go(lambda moment: moment.step is not None and moment.step.verb == "started")
    assert moment.step is not None
    assert moment.step.stream_id == "Transfer-t1"


def test_a_cascade_ends_with_the_last_command_that_it_caused() -> None:
    stepper = stepper_of(*CASCADE)
    stepper.step_over()
    moment = stepper.go(EndsCascade())
    assert moment.step is not None
    assert moment.step.ends
    assert list(moment.agenda) == [CASCADE[2]]
    assert moment.step.depth > 0


def test_conditions_hold_on_recorded_moments_as_at_the_frontier() -> None:
    stepper = stepper_of(*CASCADE)
    there = stepper.go(ends_command).index
    stepper.restart()
    assert stepper.go(ends_command).index == there
