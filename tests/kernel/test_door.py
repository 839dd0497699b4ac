"""The one door to the model can be wrapped, and costs nothing where it is not."""

from __future__ import annotations

from contextvars import copy_context
from threading import Thread
from typing import Any

import pytest

from calamity_lab.errors import ImpureModel, ModelError, Rejected
from calamity_lab.kernel import ask
from calamity_lab.kernel.ask import Question
from calamity_lab.kernel.run import dispatch
from tests.kernel.elixir import REQUEST, BankAccount, DepositFunds, Transfer, two_accounts
from tests.kernel.running import stack_of


class Heard:
    """A wrapper that keeps the names of what is asked, and asks it."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, question: Question) -> Any:
        self.names.append(question.name)
        return question()


def test_a_wrapper_is_asked_every_question_and_the_outcome_is_the_same() -> None:
    heard, stack = Heard(), stack_of(Transfer, aggregates=two_accounts())
    with ask.through(heard):
        wrapped = dispatch(stack, REQUEST)
    assert wrapped.aggregates == dispatch(stack, REQUEST).aggregates
    assert heard.names[:6] == [
        "RequestTransfer.aggregate",
        "BankAccount.execute",
        "BankAccount.apply",
        "Transfer.interested",
        "Transfer.new",
        "Transfer.apply",
    ]
    assert "Transfer.handle" in heard.names
    before = len(heard.names)
    dispatch(stack, REQUEST)
    assert len(heard.names) == before, "the door is open again after the block"


def test_wrappers_nest_and_the_inner_one_is_asked_first() -> None:
    order: list[str] = []

    def wrapper(name: str) -> Any:
        def asked(question: Question) -> Any:
            order.append(name)
            return question()

        return asked

    with ask.through(wrapper("outer")), ask.through(wrapper("inner")):
        ask.apply(BankAccount("1"), _deposited())
    assert order == ["inner", "outer"]


def test_a_wrapper_may_answer_for_the_model() -> None:
    with ask.through(lambda question: BankAccount("1", balance=7)):
        assert ask.new(BankAccount, "1").balance == 7


def test_what_a_wrapper_raises_is_told_as_if_the_callback_had_raised_it() -> None:
    def faulty(question: Question) -> Any:
        raise OSError("the disk is full")

    with ask.through(faulty), pytest.raises(ModelError, match=r"BankAccount\.apply raised OSError") as told:
        ask.apply(BankAccount("1"), _deposited())
    assert told.value.callback == "BankAccount.apply"


def test_a_rejection_and_a_model_error_of_a_wrapper_pass_as_they_are() -> None:
    def rejecting(question: Question) -> Any:
        raise Rejected("closed")

    def watching(question: Question) -> Any:
        raise ImpureModel(question.name, "balance", "changed balance")

    with ask.through(rejecting), pytest.raises(Rejected, match="closed") as refused:
        ask.execute(BankAccount("1"), DepositFunds("1", 5))
    assert refused.value.command == DepositFunds("1", 5)
    for asked in (ask.apply, ask.execute, ask.handle, ask.handle_rejection):
        with ask.through(watching), pytest.raises(ImpureModel):
            asked(BankAccount("1"), _deposited())
    for of_class in (ask.new, ask.interested):
        with ask.through(watching), pytest.raises(ImpureModel):
            of_class(Transfer, _deposited())


def test_other_threads_are_not_wrapped() -> None:
    heard = Heard()
    with ask.through(heard):
        thread = Thread(target=ask.new, args=(BankAccount, "1"))
        thread.start()
        thread.join()
    assert heard.names == []


def test_a_context_that_is_copied_is_wrapped_too() -> None:
    heard = Heard()
    with ask.through(heard):
        context = copy_context()
    context.run(ask.new, BankAccount, "1")
    assert heard.names == ["BankAccount.new"]


def _deposited() -> Any:
    return BankAccount("1").execute(DepositFunds("1", 5))
