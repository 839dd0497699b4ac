"""What a step says of itself, as a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from calamity_lab.errors import ModelError
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.clocks_and_ids import seeded_ids
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import Executed, Failed, Settled
from calamity_lab.trace.sentences import fact, sentence
from tests.kernel.durable import durable
from tests.kernel.running import finish


def test_a_command_that_was_settled_before_says_what_it_came_to() -> None:
    stack = dispatch(durable(), DepositFunds("a", 5), command_id="paid")
    steps, _ = finish(begin(stack).submit(DepositFunds("a", 5), command_ids=["paid"], once=True))
    (settled,) = [step for step in steps if isinstance(step, Settled)]
    assert fact(settled) == "DepositFunds was settled before: accepted; it is not carried out again"


def test_a_callback_that_raised_is_named_with_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = dispatch(durable(Transfer), DepositFunds("a", 100))
    plain = BankAccount.execute

    def execute(self: Any, command: Any) -> Any:
        return {}["no such key"] if self.account_id == "b" else plain(self, command)

    monkeypatch.setattr(BankAccount, "execute", execute)
    steps, run = finish(begin(stack, RequestTransfer("t", "a", "b", 60)))
    (failed,) = [step for step in steps if isinstance(step, Failed)]
    told = fact(failed)
    assert re.match(
        r"BankAccount\.execute raised KeyError: 'no such key' in file \S+, line \d+, for DepositFunds\(", told
    )
    assert told.endswith("; DepositFunds waits in the outbox")
    monkeypatch.setattr(Transfer, "handle", lambda self, event: {}["no such key"])
    with pytest.raises(ModelError):
        dispatch(run.stack, RequestTransfer("u", "a", "c", 1))
    fresh = durable(Transfer, event_store=stack.event_store, ids=seeded_ids("later"))
    (failure,) = recover(fresh).failed
    assert failure.process_manager == "Transfer"


@command(to="Log", by="id")
@dataclass(frozen=True)
class Write:
    id: str
    line: str


@dataclass(frozen=True)
class Written:
    line: str


@dataclass(frozen=True)
class Log:
    id: str
    lines: tuple[str, ...] = ()

    @classmethod
    def new(cls, aggregate_id: str) -> Log:
        return cls(aggregate_id)

    def execute(self, write: Write) -> Written:
        return Written(write.line)

    def apply(self, event: Written) -> Log:
        return replace(self, lines=(*self.lines, event.line))


def test_of_a_long_value_the_sentence_says_what_changed_inside() -> None:
    lines = ["BookingRequested", "BookingAccepted", "BookingCancelled"]
    steps, _ = finish(begin(Stack(), *[Write("1", line) for line in lines]))
    decisions = [step for step in steps if isinstance(step, Executed)]
    told = [
        sentence(step, decision)
        for step, decision in zip([step for step in steps if step.ends], decisions, strict=True)
    ]
    assert told[1].endswith("Log-1 now has lines ('BookingRequested', 'BookingAccepted'); completed")
    assert told[2].endswith("Log-1 now has lines + 'BookingCancelled'; completed")
