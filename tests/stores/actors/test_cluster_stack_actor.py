"""One actor around a whole stack, on a worker of a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from calamity_lab.errors import (
    ModelError,
    ReadOnlyStore,
    Rejected,
    StoreError,
    StoreFull,
    StoreUnavailable,
    WrongSchema,
)
from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, WithdrawFunds
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import advance, begin
from calamity_lab.kernel.steps import Appended
from calamity_lab.stores.actors.cluster import ClusterActors, ClusterStackActor
from calamity_lab.stores.actors.stack_actor import StackInActor, Submission
from calamity_lab.stores.actors.worker import WireCodec
from tests.stores.actors.bank_on_worker import new_stack


@pytest.fixture
def actor(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClusterStackActor]:
    monkeypatch.setenv("BANK_URL", f"sqlite:///{tmp_path / 'bank.db'}")
    with ClusterActors(client) as actors, ClusterStackActor(new_stack, actors) as actor:
        yield actor


def test_a_command_answers_with_all_that_was_recorded_because_of_it(actor: ClusterStackActor) -> None:
    actor.dispatch(DepositFunds("a", 100))
    recorded = actor.dispatch(RequestTransfer("t", "a", "b", 60))
    assert [r.event_type for r in recorded] == ["TransferInitiated", "FundsWithdrawn", "FundsDeposited"]
    stack = actor.stack([BankAccount])
    assert recorded == tuple(stack.event_store.stream(ALL, start_version=2))
    assert {name: account.balance for name, account in stack.aggregates.items()} == {
        "BankAccount-a": 40,
        "BankAccount-b": 60,
    }


def test_a_refusal_comes_with_its_details_and_its_command(actor: ClusterStackActor) -> None:
    with pytest.raises(Rejected, match="insufficient funds") as refused:
        actor.dispatch(WithdrawFunds("a", 5))
    assert (refused.value.details, refused.value.command) == ({"balance": 0}, WithdrawFunds("a", 5))


def test_threads_send_commands_and_each_is_carried_out_whole(actor: ClusterStackActor) -> None:
    actor.dispatch(DepositFunds("a", 100))
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(actor.dispatch, RequestTransfer(f"{n}", "a", "b", 5)) for n in range(12)]
        assert [len(command.result()) for command in sent] == [3] * 12
    assert actor.stack([BankAccount]).aggregates["BankAccount-b"].balance == 60


def test_a_new_actor_carries_out_what_an_earlier_one_left_owed(actor: ClusterStackActor) -> None:
    actor.dispatch(DepositFunds("a", 100))
    run = begin(actor.stack(), RequestTransfer("t", "a", "b", 60))
    step: Any = None
    while not isinstance(step, Appended):
        step, run = advance(run)
    actor.close()  # it will be started again
    actor.dispatch(DepositFunds("c", 1))
    balances = {name: a.balance for name, a in actor.stack([BankAccount]).aggregates.items()}
    assert balances == {"BankAccount-a": 40, "BankAccount-b": 60, "BankAccount-c": 1}


def test_a_command_that_is_sent_again_is_carried_out_once(actor: ClusterStackActor) -> None:
    sent = StackInActor.behind(new_stack(), lambda stack: None)
    submission = Submission("7")
    first = sent.dispatch(DepositFunds("a", 100), submission)
    again = StackInActor.behind(new_stack(), lambda stack: None)
    submission.is_retry = True
    assert again.dispatch(DepositFunds("a", 100), submission) == first
    assert len(list(actor.stack().event_store.stream(ALL))) == 1


class Grave(Rejected):
    """A refusal with a constructor of its own."""

    def __init__(self, depth: int) -> None:
        super().__init__("grave", depth=depth, price=Decimal("1.50"))


@pytest.mark.parametrize(
    "error",
    [
        Grave(6),
        Rejected("no", odd=object()),
        ModelError("Bank.apply", "broke"),
        StoreError("the disk is full"),
    ],
)
def test_errors_are_told_as_they_are_or_in_words(error: Exception) -> None:
    texts = WireCodec()
    found = texts.read(texts.write(error))
    assert type(found) is type(error)
    assert str(found) == str(error) or repr(error.details["odd"]) in str(found)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [StoreError, StoreUnavailable, StoreFull, ReadOnlyStore, WrongSchema])
def test_a_stores_error_on_a_worker_has_its_class_and_its_words_here(kind: type[StoreError]) -> None:
    with pytest.raises(StoreError, match=r"^no room$") as raised:
        WireCodec().read(WireCodec.failure(kind("no room")))
    assert type(raised.value) is kind
