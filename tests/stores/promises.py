"""A bank whose processes crash, change their rules and get in one another's way; and what it was promised.

`played(url, seed)` plays the script of a seed over a database: two processes, started over and over
with other releases of the model, run at once. In the end all is mended, recovered, and checked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from random import Random
from typing import Any, NamedTuple, Self

from calamity_lab.errors import AlreadySettled, ModelError, Rejected, UnknownName
from calamity_lab.examples.bank import (
    AccountClosed,
    AccountRenamed,
    BankAccount,
    DepositFunds,
    FundsDeposited,
    FundsRefunded,
    FundsWithdrawn,
    RefundTransfer,
    RenameAccount,
    RequestTransfer,
    Transfer,
    TransferCancelled,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.messages import Start, Stop
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import Run, advance, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores import SQLEventStore
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.stores.sql.outbox import OutboxEntry

ACCOUNTS = ("a", "b", "c", "closed")
MANAGERS = ("Transfer", "Clerk")


class Payment(Transfer):
    """The transfer under a new name; it keeps the old one in stores."""

    stored_name = "Transfer"


@dataclass(frozen=True)
class NotedTransfer(Transfer):
    """A transfer that remembers what was rejected, and what it knew by then."""

    stored_name = "Transfer"
    applied = Transfer.apply
    refused: tuple[Any, ...] = ()

    def apply(self, event: Any | Rejected) -> Any:
        if isinstance(event, Rejected):
            noted = type(event.command).__name__, event.reason, dict(event.details), self.stage
            return replace(self, refused=(*self.refused, noted))
        return self.applied(event)


class NotedPayment(NotedTransfer):
    """The same under a new name."""

    stored_name = "Transfer"


class Remittance(Transfer):
    """The transfer under a new name, by somebody who forgot to keep the old one."""


@dataclass(frozen=True, slots=True)
class Clerk:
    """Writes into the name of an account how often cash was paid in, until it is named anew."""

    account_id: str
    count: int = 0

    @classmethod
    def interested(cls, event: object) -> Start | Stop | None:
        match event:
            case FundsDeposited(account_id, _, None):
                return Start(account_id)
            case AccountRenamed(account_id, "anew"):
                return Stop(account_id)
        return None

    @classmethod
    def new(cls, account_id: str) -> Self:
        return cls(account_id)

    def apply(self, event: object) -> Self:
        return replace(self, count=self.count + isinstance(event, FundsDeposited))

    def handle(self, event: object) -> RenameAccount | None:
        return RenameAccount(self.account_id, str(self.count)) if isinstance(event, FundsDeposited) else None

    def handle_rejection(self, rejected: Rejected) -> None:
        return None


@dataclass(frozen=True)
class NotedClerk(Clerk):
    """A clerk who remembers which names were rejected, and how often cash had been paid in by then."""

    stored_name = "Clerk"
    applied = Clerk.apply
    refused: tuple[tuple[int, str], ...] = ()

    def apply(self, event: Any | Rejected) -> Any:
        if isinstance(event, Rejected):
            return replace(self, refused=(*self.refused, (self.count, event.command.name)))
        return self.applied(event)


# In one of four worlds, rejections change the process managers.
RELEASES: tuple[tuple[tuple[type, type], type], ...] = (
    ((Transfer, Payment), Clerk),
    ((NotedTransfer, NotedPayment), NotedClerk),
)


@lru_cache
def serializer(transfer: type, clerk: type = Clerk) -> Serializer:
    """What a process with these classes reads and writes; the processes of many scripts share it."""
    return Serializer([BankAccount, transfer, clerk])


class Rules(NamedTuple):
    """A release of the model: what a transfer may be at most, what is also answered, what raises."""

    limit: int = 100
    also: str = ""
    raises: str = ""

    def answer(self, question: ask.Question) -> Any:
        name = question.name.replace("Noted", "").replace("Payment", "Transfer")
        message = question.message
        if name == self.raises and (not name.startswith("Bank") or is_of_transfer(message)):
            raise RuntimeError("not today")
        if name == "BankAccount.execute":
            if isinstance(message, DepositFunds) and message.transfer_id and message.amount > self.limit:
                raise Rejected("over the limit", limit=self.limit)
            if isinstance(message, RenameAccount) and message.name.isdigit() and self.limit == 5:
                raise Rejected("no numbers")
            if self.also == "events" and isinstance(message, WithdrawFunds):
                return question(), question.subject.execute(RenameAccount(message.account_id, "paid"))
        answer = question()
        if answer is None or name not in {"Transfer.handle", "Transfer.handle_rejection"}:
            return answer
        note = RenameAccount("c", "noted")
        return {"before": (note, answer), "after": (answer, note)}.get(self.also, answer)


def is_of_transfer(message: object) -> bool:
    """Whether a command was sent by a transfer, or the event is one of such a command."""
    ordered = isinstance(message, (RequestTransfer, TransferInitiated))
    return getattr(message, "transfer_id", None) is not None and not ordered


RAISING = (
    *["BankAccount.execute"] * 3,
    "BankAccount.apply",
    *[f"Clerk.{name}" for name in ("interested", "apply", "handle")],
    *[f"Transfer.{name}" for name in ("interested", "apply", "handle", "handle_rejection")],
)


@dataclass
class Process:
    """A process: its store, the release that it runs, and how far its run has come."""

    store: SQLEventStore
    rules: Rules
    run: Run
    begin: dict[str, Any]


class World:
    """Two processes over one database, and what is known of it."""

    def __init__(self, url: str, seed: int) -> None:
        self.url, self.random = url, Random(seed)
        self.transfers, self.clerk = RELEASES[seed % 4 == 3]
        self.store = SQLEventStore(url, serializer(self.transfers[0], self.clerk))
        begun(self.store)
        self.began: dict[str, int] = {}
        self.settled: dict[str, tuple[str, str | None]] = {}
        self.dropped: set[str] = set()
        self.requested, self.numbers = 0, count()
        self.processes = [self._opened(names, recovers=False) for names in ((), MANAGERS)]

    # What may happen.

    def submit(self) -> None:
        """Somebody orders something from one of the processes, which may go on with it."""
        process = self._one()
        process.run = process.run.submit(self._order())
        self._advance(process, self.random.choice((0, 3, 5, 8, 99)))

    def _order(self) -> Any:
        random, account = self.random, self.random.choice(ACCOUNTS[:3])
        self.requested += 1
        transfer_id, amount = f"t{self.requested}", random.randint(1, 30)
        return random.choice((
            DepositFunds(account, amount),
            RequestTransfer(transfer_id, account, random.choice(ACCOUNTS), amount),
            RequestTransfer(transfer_id, account, random.choice(ACCOUNTS), amount),
            RequestTransfer(transfer_id, account, "closed", amount),
            RenameAccount(account, "anew"),
        ))  # fmt: skip

    def go_on(self) -> None:
        """A process does some steps."""
        self._advance(self._one(), self.random.randint(1, 9))

    def dispatch_once(self) -> None:
        """Somebody orders a payment with a command id, maybe again."""
        process, random = self._one(), self.random
        number = random.randrange(3)
        command, command_id = DepositFunds(ACCOUNTS[number], 10 + number), f"order-{number}"
        if random.random() < 0.5:
            process.run = process.run.submit(command, command_ids=(command_id,), once=True)
            return self._advance(process, random.randint(1, 5))
        stack = process.run.stack
        self._watched(process, lambda: replace_stack(process, self._dispatched(stack, command, command_id)))
        return None

    def crash(self) -> None:
        """A process dies, and another release is started."""
        which, random = random_index(self.random), self.random
        check_states(self.processes[which])
        self.processes[which].store.close()
        names = random.choice(((), ("Transfer",), MANAGERS, MANAGERS, MANAGERS, MANAGERS))
        self.processes[which] = self._opened(names, recovers=random.random() < 0.8)

    def recover_both(self) -> None:
        """Both processes die, recover at once, and get an order; each does a step now and then."""
        for which, process in enumerate(self.processes):
            check_states(process)
            process.store.close()
            self.processes[which] = process = self._opened(MANAGERS, recovers=True)
            process.run = process.run.submit(self._order())
        for _ in range(self.random.randint(5, 40)):
            self._advance(self._one(), 1)

    def rename(self) -> None:
        """Somebody renames a class and forgets its stored name: that is refused, and changes nothing."""
        store = SQLEventStore(self.url, serializer(Remittance, self.clerk))
        stack = Stack(event_store=store, process_manager_types=(Remittance, self.clerk))
        before = store.outbox, store.marks()
        if "Transfer" in before[1][0]:
            with suppress(UnknownName):
                recover(stack)
                raise AssertionError("a class was renamed, and nobody was told")
            assert (store.outbox, store.marks()) == before
        store.close()

    def attend(self) -> None:
        """Somebody looks at what was set aside, and tries it again, replaces it or drops it."""
        random = self.random
        process = max(self.processes, key=lambda each: len(each.run.failed))
        if random.random() < 0.5:
            process.rules = process.rules._replace(raises="")
        for failure in process.run.failed:
            pending = failure.pending
            if pending is None or random.random() < 0.3:
                process.run = process.run.retry(failure)
                continue
            sender = process.run.stack.process_managers.get(str(pending.sender))
            try:
                if isinstance(pending.command, DepositFunds) and sender is not None:
                    instead = RefundTransfer(sender.from_account, sender.amount, sender.transfer_id)
                    process.run = process.run.replace_failed(failure, instead)
                else:
                    process.run = process.run.drop_failed(failure, "it was not meant")
                    self.dropped.add(pending.command_id)
            except AlreadySettled:
                assert self.store.outcome_of(pending.command_id) is not None
                process.run = process.run.retry(failure)
        self._advance(process, random.randint(0, 6))

    def end(self) -> Stack:
        """Mend everything, and let one process carry out all there is to do."""
        for process in self.processes:
            check_states(process)
            process.store.close()
        process = self._opened(MANAGERS, rules=Rules(), recovers=True)
        self._advance(process, 10_000)
        assert process.run.idle
        assert not process.run.failed
        check_states(process)
        rebuilt = recover(process.run.stack, [BankAccount])
        assert rebuilt.idle, "what was done comes back"
        self.processes = [process]
        return rebuilt.stack

    # How it happens.

    def _one(self) -> Process:
        return self.processes[random_index(self.random)]

    def _opened(self, names: tuple[str, ...], *, recovers: bool, rules: Rules | None = None) -> Process:
        random = self.random
        if rules is None:
            also, raises = random.choice(("", "", "before", "after", "events")), random.choice(RAISING)
            rules = Rules(random.choice((5, 15, 100)), also, raises if random.random() < 0.5 else "")
        transfer = random.choice(self.transfers)
        store = SQLEventStore(self.url, serializer(transfer, self.clerk))
        head = store.version(ALL) if names else 0
        begin: dict[str, Any] = {name: random.choice(("now", random.randint(0, head))) for name in names}
        types = {"Transfer": transfer, "Clerk": self.clerk}
        stack = Stack(
            event_store=store,
            process_manager_types=tuple(types[name] for name in names),
            process_managers_begin={**dict.fromkeys(MANAGERS, "elsewhere"), **begin},
            ids=lambda: f"id-{next(self.numbers)}",
            clock=ticking_clock(),
        )
        process = Process(store, rules, Run(stack), begin)
        if recovers:
            self._watched(process, lambda: recovered(process))
        return process

    def _dispatched(self, stack: Stack, command: Any, command_id: str) -> Stack:
        try:
            return dispatch(stack, command, command_id=command_id)
        except Rejected:
            return stack

    def _advance(self, process: Process, steps: int) -> None:
        for _ in range(steps):
            if process.run.idle or not self._watched(process, lambda: stepped(process)):
                break

    def _watched(self, process: Process, act: Callable[[], None]) -> bool:
        """Let a process act; what began meanwhile is noted. Whether it lives on."""
        all_began = len(self.began) == len(MANAGERS)
        head = 0 if all_began else self.store.version(ALL)
        lives = True
        try:
            with ask.through(process.rules.answer):
                act()
        except ModelError:  # of a submitted command: the process dies with it
            process.run = Run(process.run.stack)
            lives = False
        if not all_began:
            for name in set(self.store.marks()[0]) - set(self.began):
                given = process.begin[name]
                self.began[name] = self._now(name, head) if given == "now" else given
        return lives

    def _now(self, name: str, head: int) -> int:
        """Where a manager began; before the event that it was handed, where it had raised until then."""
        causes = [e.cause for e in self.store.outbox if (e.sender or "").startswith(f"{name}-")]
        began = min(head, self.store.marks()[0][name])
        return began - 1 if began in causes else began

    def look(self) -> None:
        """Nothing that was settled is settled otherwise, or gone."""
        found = {e.command_id: (e.outcome, e.reason) for e in self.store.outbox if e.outcome is not None}
        assert found.items() >= self.settled.items()
        self.settled = found


def random_index(random: Random) -> int:
    """One of two."""
    return random.randrange(2)


def replace_stack(process: Process, stack: Stack) -> None:
    """The process goes on with that stack, and with nothing else."""
    process.run = Run(stack)


def stepped(process: Process) -> None:
    """The process does one step."""
    _, process.run = advance(process.run)


def recovered(process: Process) -> None:
    """The process takes up what there is to do."""
    process.run = recover(process.run.stack)


def begun(store: SQLEventStore) -> None:
    """Delete all that is in a database, and put in what there is at the beginning of a script."""
    database = store._database
    for table in database.tables_and_indices()[0] - {"calamity_lab_schema", "last_position"}:
        database.write(f"DELETE FROM {table}", {}, "write to")
    database.write("UPDATE last_position SET position = 0", {}, "write to")
    for account in ACCOUNTS[:3]:
        store.append(f"BankAccount-{account}", [FundsDeposited(account, 50)])
    store.append("BankAccount-closed", [AccountClosed("closed")])


def played(url: str, seed: int) -> None:
    """Play the script of a seed over a database that is emptied, and check what was promised."""
    world = World(url, seed)
    acts = [World.submit] * 5 + [World.go_on] * 3 + [World.crash] * 3
    acts += [
        World.dispatch_once,
        World.recover_both,
        World.recover_both,
        World.rename,
        World.attend,
        World.attend,
        World.attend,
    ]
    try:
        for _ in range(world.random.randint(3, 14)):
            world.random.choice(acts)(world)
            world.look()
        stack = world.end()
        world.look()
        check(world, stack)
    finally:
        for process in world.processes:
            process.store.close()
        world.store.close()


# What was promised.


def check(world: World, stack: Stack) -> None:
    """Everything that was promised holds of a world that has come to its end."""
    history, outbox = list(world.store.stream(ALL)), world.store.outbox
    assert [entry for entry in outbox if entry.outcome is None] == []
    check_commits(history)
    for number in range(3):
        accepted = world.settled.get(f"order-{number}", ("", ""))[0] == "accepted"
        assert [r.causation_id for r in history].count(f"order-{number}") == accepted
    in_flight = sum([check_transfer(world, r, history, outbox) for r in history if _is_request(r)])
    check_clerk(world, history, outbox, stack)
    paid_in, balances = 0, Counter(dict.fromkeys(ACCOUNTS, 0))
    for recorded in history:
        match recorded.event:
            case FundsDeposited(account, amount, transfer_id):
                balances[account] += amount
                paid_in += amount if transfer_id is None else 0
            case FundsRefunded(account, amount):
                balances[account] += amount
            case FundsWithdrawn(account, amount):
                balances[account] -= amount
    assert sum(balances.values()) == paid_in - in_flight
    rebuilt = stack.aggregates
    assert {id_: state.balance for id_, state in rebuilt.items()} == {
        f"BankAccount-{account}": balances[account]
        for account in ACCOUNTS
        if f"BankAccount-{account}" in rebuilt
    }


def check_states(process: Process) -> None:
    """The instances, once they know of all processes, are as a process finds them that is started now."""
    stack = process.run.stack
    marks, _ = stack.event_store.marks()
    if {stored_name(each) for each in stack.process_manager_types} <= set(marks):
        for index in range(len(stack.process_manager_types)):
            stack = outbox.taken_in(stack, index)
        assert dict(stack.process_managers) == dict(rebuild(stack).process_managers)


def check_commits(history: list[RecordedEvent]) -> None:
    """The events of each command were recorded by one append."""
    last: dict[str, RecordedEvent] = {}
    for recorded in history:
        if recorded.causation_id is None:  # what was there in the beginning
            continue
        before = last.get(recorded.causation_id)
        if before is not None:
            assert before.stream_id == recorded.stream_id
            assert before.position == recorded.position - 1
            assert type(before.event) is not type(recorded.event)
        last[recorded.causation_id] = recorded


def _is_request(recorded: RecordedEvent) -> bool:
    return isinstance(recorded.event, TransferInitiated)


def check_transfer(
    world: World, requested: RecordedEvent, history: list[RecordedEvent], outbox: tuple[OutboxEntry, ...]
) -> int:
    """A transfer came to one of its legal ends; the money of it that is nowhere, because that was said."""
    transfer_id, amount = requested.event.transfer_id, requested.event.amount
    own = [e for e in outbox if e.sender == f"Transfer-{transfer_id}" and e.command_type != "RenameAccount"]
    sent = {entry.command_type: entry for entry in own}
    assert len(sent) == len(own), f"{transfer_id} sent a command twice: {own}"
    events = Counter([type(r.event) for r in history if getattr(r.event, "transfer_id", "") == transfer_id])
    assert max(events.values()) == 1, f"{transfer_id}: {events}"
    if requested.position <= world.began.get("Transfer", 0):
        assert not sent, "it was answered for an event before the process manager began"
        return 0
    ended: dict[str, Any] = {name: entry.outcome for name, entry in sent.items()}
    for name, outcome in ended.items():
        expected = outcome == "accepted"
        assert events[_EVENTS[name]] == expected, f"{transfer_id}: {name} {outcome}, and {events}"
    assert "WithdrawFunds" in ended
    assert sent["WithdrawFunds"].cause == requested.position
    assert ("CancelTransfer" in ended) == (ended["WithdrawFunds"] == "rejected")
    assert ("DepositFunds" in ended) == (ended["WithdrawFunds"] == "accepted")
    assert ("RefundTransfer" in ended) == (ended.get("DepositFunds") in {"rejected", "replaced"})
    for name, entry in sent.items():
        legal = {"accepted", *_OUTCOMES.get(name, ())}
        legal |= {"dropped"} if entry.command_id in world.dropped else set()
        assert entry.outcome in legal, f"{transfer_id}: {name} {entry.outcome}"
    return amount if events[FundsWithdrawn] and not events[FundsDeposited] + events[FundsRefunded] else 0


_EVENTS = {
    "WithdrawFunds": FundsWithdrawn,
    "DepositFunds": FundsDeposited,
    "RefundTransfer": FundsRefunded,
    "CancelTransfer": TransferCancelled,
}
_OUTCOMES = {"WithdrawFunds": {"rejected"}, "DepositFunds": {"rejected", "replaced"}}


def check_clerk(
    world: World, history: list[RecordedEvent], outbox: tuple[OutboxEntry, ...], stack: Stack
) -> None:
    """The clerk answered each payment in cash since it began, once, knowing all payments before."""
    counts: Counter[str] = Counter()
    expected = {}
    for recorded in history:
        match recorded.event:
            case FundsDeposited(account, _, None):
                counts[account] += 1
                if recorded.position > world.began["Clerk"]:
                    expected[recorded.position] = (f"Clerk-{account}", str(counts[account]))
            case AccountRenamed(account, "anew"):
                del counts[account]
    found = [entry for entry in outbox if (entry.sender or "").startswith("Clerk-")]
    assert len(found) == len(expected)
    assert {e.cause: (e.sender, json.loads(e.command or "")["name"]) for e in found} == expected
    clerks = {id_: state for id_, state in stack.process_managers.items() if isinstance(state, Clerk)}
    assert {id_: state.count for id_, state in clerks.items()} == {
        f"Clerk-{account}": count for account, count in counts.items()
    }
    begun = {f"Clerk-{each.event.account_id}": each.position for each in history if _is_named_anew(each)}
    for id_, state in clerks.items():
        if isinstance(state, NotedClerk):
            rejected = [e for e in found if e.sender == id_ and e.outcome == "rejected"]
            names = [
                json.loads(e.command or "")["name"] for e in rejected if (e.cause or 0) > begun.get(id_, 0)
            ]
            assert sorted([name for _, name in state.refused]) == sorted(names)


def _is_named_anew(recorded: RecordedEvent) -> bool:
    return isinstance(recorded.event, AccountRenamed) and recorded.event.name == "anew"
