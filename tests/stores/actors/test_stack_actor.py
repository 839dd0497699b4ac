"""One actor around a whole stack: threads send commands, which are carried out one after another."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Self

import pykka
import pytest

from calamity_lab.errors import MissingExtra, ModelError, Rejected, StoreUnavailable
from calamity_lab.examples import bank as bank_model
from calamity_lab.examples.bank import (
    BankAccount,
    CloseAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RequestTransfer,
    Transfer,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors import stack_actor
from calamity_lab.stores.actors.stack_actor import StackActor
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.kernel.running import stack_of


def kill(bank: StackActor) -> None:
    """Stop the actor behind the back of the one who refers to it."""
    bank._reference.stop()


@pytest.fixture
def bank() -> Iterator[StackActor]:
    with StackActor(stack_of(Transfer)) as bank:
        yield bank


def test_a_command_answers_with_all_that_was_recorded_because_of_it(bank: StackActor) -> None:
    assert [r.event for r in bank.dispatch(DepositFunds("a", 100))] == [FundsDeposited("a", 100)]
    recorded = bank.dispatch(RequestTransfer("t", "a", "b", 60))
    assert [r.event for r in recorded] == [
        TransferInitiated("t", "a", "b", 60),
        FundsWithdrawn("a", 60, "t"),
        FundsDeposited("b", 60, "t"),
    ]
    assert [r.position for r in recorded] == [2, 3, 4]
    assert dict(bank.stack.aggregates) == {
        "BankAccount-a": BankAccount("a", 40, status="unopened"),
        "BankAccount-b": BankAccount("b", 60, status="unopened"),
    }


def test_a_rejection_reaches_the_caller_and_changes_nothing(bank: StackActor) -> None:
    bank.dispatch(DepositFunds("a", 100))
    before = bank.stack
    with pytest.raises(Rejected, match="insufficient funds") as refused:
        bank.dispatch(WithdrawFunds("a", 500))
    assert (refused.value.details, refused.value.command) == ({"balance": 100}, WithdrawFunds("a", 500))
    assert bank.stack is before


def test_a_refusal_further_down_is_no_refusal_of_the_command(bank: StackActor) -> None:
    for command in (DepositFunds("a", 100), CreateAccount("c"), CloseAccount("c")):
        bank.dispatch(command)
    recorded = bank.dispatch(RequestTransfer("t", "a", "c", 60))
    assert [r.event_type for r in recorded] == ["TransferInitiated", "FundsWithdrawn", "FundsRefunded"]


def test_threads_send_commands_and_each_is_carried_out_whole(bank: StackActor) -> None:
    for account in "abcd":
        bank.dispatch(DepositFunds(account, 1000))

    def send(number: int) -> int:
        source, target = "abcd"[number % 4], "abcd"[(number + 1) % 4]
        return len(bank.dispatch(RequestTransfer(f"t{number}", source, target, 7)))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(send, range(80))) == [3] * 80
    assert [account.balance for account in bank.stack.aggregates.values()] == [1000] * 4
    log = list(bank.stack.event_store)[4:]
    correlations = [r.correlation_id for r in log]
    assert correlations == [id_ for id_ in dict.fromkeys(correlations) for _ in range(3)], "one after another"


def test_an_actor_that_died_is_started_again_with_the_stack_as_it_was(bank: StackActor) -> None:
    bank.dispatch(DepositFunds("a", 100))
    kill(bank)
    assert bank.stack.aggregates["BankAccount-a"].balance == 100
    kill(bank)
    assert [r.stream_version for r in bank.dispatch(DepositFunds("a", 1))] == [2]


@dataclass(frozen=True)
class Snap:
    """Something to carry out that breaks in one way or another; ``seen`` keeps count."""

    how: str
    seen: list[str] = field(default_factory=list, compare=False)

    def aggregate(self) -> tuple[type, str]:
        return Twig, "1"


@dataclass(frozen=True)
class Snapped:
    how: str


@dataclass(frozen=True)
class Twig:
    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Snap) -> Snapped:
        command.seen.append(command.how)
        if command.how == "breaks":
            raise ZeroDivisionError("no twig")
        if command.how == "dies" or (command.how == "dies once" and len(command.seen) == 1):
            raise SystemExit("the tree fell")
        return Snapped(command.how)

    def apply(self, event: Snapped) -> Self:
        return self


def test_a_model_that_breaks_is_told_and_the_actor_goes_on(bank: StackActor) -> None:
    with pytest.raises(ModelError, match=r"Twig.execute raised ZeroDivisionError"):
        bank.dispatch(Snap("breaks"))
    assert len(bank.dispatch(Snap("snaps"))) == 1


def test_a_command_that_its_actor_died_of_is_sent_again(bank: StackActor) -> None:
    seen: list[str] = []
    assert [r.event for r in bank.dispatch(Snap("dies once", seen))] == [Snapped("dies once")]
    assert seen == ["dies once"] * 2


def test_a_command_that_every_actor_dies_of_is_given_up(
    bank: StackActor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack_actor, "PAUSES", (0.0, 0.01))
    seen: list[str] = []
    with pytest.raises(StoreUnavailable, match=r"asked to dispatch: 2 actors died, .*the tree fell"):
        bank.dispatch(Snap("dies", seen))
    assert seen == ["dies"] * 2
    assert len(bank.dispatch(Snap("snaps", seen))) == 1


@pytest.mark.parametrize("length", [2, 3, 4])
def test_an_actor_that_dies_amid_a_transfer_is_replaced_by_one_that_ends_it(length: int) -> None:
    class Deadly(SQLEventStore):
        """Ends whoever makes it that long, once it is recorded."""

        def record(self, *given: Any, **options: Any) -> Any:
            recorded = super().record(*given, **options)
            if len(self) == length and not deaths:
                deaths.append(length)
                raise SystemExit("the power failed")
            return recorded

    deaths: list[int] = []
    store = Deadly("sqlite://", bank_model)
    with StackActor(Stack(event_store=store, process_manager_types=[Transfer])) as bank:
        bank.dispatch(DepositFunds("a", 100))
        recorded = bank.dispatch(RequestTransfer("t", "a", "b", 60))
        assert deaths == [length]
        assert recorded == tuple(store)[1:]
        assert [r.event_type for r in recorded] == ["TransferInitiated", "FundsWithdrawn", "FundsDeposited"]
        assert dict(bank.stack.process_managers) == {}
        assert [r.stream_version for r in bank.dispatch(DepositFunds("b", 1))] == [2]
        assert bank.stack.aggregates["BankAccount-b"].balance == 61


def test_all_actors_of_pykka_may_be_stopped_from_elsewhere(bank: StackActor) -> None:
    bank.dispatch(DepositFunds("a", 100))
    pykka.ActorRegistry.stop_all()
    assert bank.dispatch(DepositFunds("a", 1))[0].stream_version == 2


def test_an_actor_that_was_closed_takes_no_command_and_leaves_its_stack() -> None:
    with StackActor(stack_of()) as bank:
        bank.dispatch(DepositFunds("a", 100))
    with pytest.raises(StoreUnavailable, match="these actors were closed"):
        bank.dispatch(DepositFunds("a", 1))
    assert bank.stack.aggregates["BankAccount-a"].balance == 100


def test_a_missing_library_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pykka", None)
    with pytest.raises(MissingExtra, match=r"calamity-lab\[actors\]"):
        StackActor(stack_of())
