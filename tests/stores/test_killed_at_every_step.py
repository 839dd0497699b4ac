"""A process is killed at every step of a transfer, and the next one ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from calamity_lab.examples.bank import BankAccount, Transfer
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from tests.kernel.running import finish, stack_of
from tests.stores.dying import BEFORE, TRANSFERS, bank_at, carry_out

KILLED = -signal.SIGKILL


def seeded(path: Path) -> Path:
    """A file with what happened before the transfer."""
    with bank_at(path) as store:
        stack = Stack(event_store=store, process_manager_types=(Transfer,))
        for command in BEFORE:
            stack = dispatch(stack, command)
    return path


def ended(which: str, deaths: list[tuple[int, Path]]) -> list[int]:
    """How each process ended that was to be killed at that step, with the bank in that file."""
    words = [f"{step}={path}" for step, path in deaths]
    command = [sys.executable, "-m", "tests.stores.dying", which, *words]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [int(line) for line in told.stdout.split()]


def told(history: Any) -> list[tuple[Any, ...]]:
    """The events and where they stand; their ids differ from run to run."""
    return [(r.event, r.stream_id, r.stream_version, r.position) for r in history]


def undisturbed(which: str) -> tuple[int, list[tuple[Any, ...]], dict[str, Any]]:
    """How many steps the transfer has, and what there is after it."""
    stack = stack_of(Transfer)
    for command in BEFORE:
        stack = dispatch(stack, command)
    steps, run = finish(begin(stack, TRANSFERS[which]))
    return len(steps), told(run.stack.event_store.stream(ALL)), dict(run.stack.aggregates)


@pytest.mark.parametrize("which", list(TRANSFERS))
def test_a_transfer_whose_process_is_killed_at_any_step_is_ended_by_the_next(
    tmp_path: Path, which: str
) -> None:
    count, events, aggregates = undisturbed(which)
    files = [(step, seeded(tmp_path / f"{step}.db")) for step in range(1, count + 1)]
    assert ended(which, files) == [KILLED] * count
    for step, path in files:
        carry_out(path, TRANSFERS[which])
        with bank_at(path) as store:
            assert told(store.stream(ALL)) == events, f"killed at step {step}"
            run = recover(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
            assert dict(run.stack.aggregates) == aggregates
            assert run.idle


def test_a_transfer_ends_though_every_process_that_takes_it_up_is_killed_soon_after(tmp_path: Path) -> None:
    path = seeded(tmp_path / "bank.db")
    _, events, _ = undisturbed("arrives")
    # Each gets one append further, and is killed before anything comes of it.
    ends = ended("arrives", [(4, path)] * 5)
    assert ends == [KILLED, KILLED, KILLED, 0, 0]
    with bank_at(path) as store:
        assert told(store.stream(ALL)) == events
