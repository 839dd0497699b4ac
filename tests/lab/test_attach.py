"""A lab on a real history: what it shows, that it writes nothing, and what a commit writes."""

from __future__ import annotations

import shutil
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from calamity_lab import Lab, Stack, Start, begin, command, seeded_ids, ticking_clock
from calamity_lab.errors import (
    CommitConflict,
    InvalidModel,
    InvalidValue,
    ModelError,
    OutOfRange,
    StoreError,
    UnknownArgument,
)
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    BankAccount,
    CreateAccount,
    DepositFunds,
    FundsDeposited,
    FundsWithdrawn,
    RequestTransfer,
    Transfer,
    TransferInitiated,
    WithdrawFunds,
)
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import rebuild, recover
from calamity_lab.kernel.run import advance
from calamity_lab.stores.sql import SQLEventStore
from calamity_lab.views.chart import Charts
from calamity_lab.views.lanes import Lanes
from tests.moments import after
from tests.trace.test_reload import Remade

HALFWAY = RequestTransfer("t9", "alice", "bob", 10_00)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day at the bank in a database, and a transfer that was left halfway."""
    path = tmp_path_factory.mktemp("history") / "bank.db"
    with SQLEventStore(f"sqlite:///{path}", bank) as store:
        stack = Stack(
            event_store=store, process_manager_types=(Transfer,), ids=seeded_ids("day"), clock=ticking_clock()
        )
        run = begin(stack, *bank.story())
        while not run.idle:
            _, run = advance(run)
        run = run.submit(HALFWAY)
        while run.progress is not None or run.agenda[0] is HALFWAY:
            _, run = advance(run)
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path / "bank.db"))


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def store(url: str) -> Iterator[SQLEventStore]:
    with SQLEventStore(url, bank) as store:
        yield store


def rows(url: str) -> list[RecordedEvent]:
    with SQLEventStore(url, bank, read_only=True) as store:
        return list(store)


def test_an_attached_lab_opens_on_the_states_that_the_events_tell(url: str, store: SQLEventStore) -> None:
    lab = Lab.attach(url, bank)
    assert list(lab.events) == rows(url)
    warned = rebuild(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
    for name in (
        "aggregates",
        "aggregate_versions",
        "process_managers",
        "process_manager_versions",
        "delivered_upto",
    ):
        assert getattr(lab.stack, name) == getattr(warned, name), name
    assert lab.process_managers["Transfer-t9"].stage == "initiated"
    assert (lab.cursor, len(lab.agenda)) == (0, 0)
    assert f"{len(rows(url))} events" in repr(lab)


def test_stepping_back_and_forking_over_real_events_writes_nothing(path: Path, url: str) -> None:
    before, whole = rows(url), path.read_bytes()
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("alice", 5), RequestTransfer("t10", "alice", "bob", 7))
    lab.resume()
    assert [event.position for event in lab.events] == list(range(1, len(before) + 5))
    lab.goto(after(lab, "Dispatched"))
    lab.send(WithdrawFunds("bob", 1))
    lab.resume()
    lab.restart()
    assert list(lab.branches) == ["main", "branch 1"]
    assert path.read_bytes() == whole
    assert rows(url) == before


def test_two_labs_on_one_store_do_not_see_one_another(url: str) -> None:
    one, two = Lab.attach(url, bank), Lab.attach(url, bank)
    one.send(DepositFunds("alice", 5))
    one.resume()
    balance = two.aggregates["BankAccount-alice"].balance
    assert (one.aggregates["BankAccount-alice"].balance, len(two.events)) == (
        balance + 5,
        len(one.events) - 1,
    )


def test_a_lab_may_open_at_an_earlier_position_and_does_not_see_what_came_after(url: str) -> None:
    lab = Lab.attach(url, bank, position=4)
    assert [event.event_type for event in lab.events] == ["AccountCreated"] * 3 + ["FundsDeposited"]
    assert lab.aggregates["BankAccount-alice"].balance == 100_00
    assert len(lab.process_managers) == 0
    lab.send(DepositFunds("alice", 1))
    lab.resume()
    assert (lab.events[-1].position, lab.events[-1].stream_version) == (5, 3)
    assert len(Lab.attach(url, bank, position=0).aggregates) == 0
    with pytest.raises(OutOfRange, match="position=1000"):
        Lab.attach(url, bank, position=1000)


def test_the_process_managers_of_a_history_go_on_where_they_stood(url: str) -> None:
    lab = Lab.attach(url, bank)
    lab.send(WithdrawFunds("alice", 10_00, transfer_id="t9"))
    lab.resume()
    assert "Transfer-t9" not in lab.process_managers
    assert [event.event_type for event in lab.events][-2:] == ["FundsWithdrawn", "FundsDeposited"]


def test_a_lab_opens_on_a_recovered_run_with_the_commands_that_are_owed(store: SQLEventStore) -> None:
    stack = Stack(event_store=store, process_manager_types=(Transfer,))
    lab = Lab(bank, stack=recover(stack, [BankAccount]))
    assert lab.agenda == [WithdrawFunds("alice", 10_00, transfer_id="t9")]
    count = len(store)
    lab.resume()
    assert [event.event_type for event in store][count:] == ["FundsWithdrawn", "FundsDeposited"]
    assert list(lab.events) == list(store)
    lab.restart()
    with pytest.raises(InvalidValue, match=r"SQLEventStore\(.*\) keeps the 2 events.*Lab\.attach"):
        lab.drop(0)


def test_an_attached_lab_takes_up_what_recover_would_carry_out(url: str, store: SQLEventStore) -> None:
    total = sum(account.balance for account in Lab.attach(url, bank).aggregates.values())
    lab = Lab.attach(url, bank, recover=True)
    assert lab.agenda == [WithdrawFunds("alice", 10_00, transfer_id="t9")]
    assert lab.process_managers["Transfer-t9"].stage == "initiated"
    lab.step()
    assert lab.commit().positions == (15,)
    again = recover(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
    assert again.agenda == lab.agenda == [DepositFunds("bob", 10_00, transfer_id="t9")]
    lab.resume()
    assert [event.event for event in lab.commit()] == [FundsDeposited("bob", 10_00, transfer_id="t9")]
    again = recover(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
    assert again.idle
    assert sum(account.balance for account in again.stack.aggregates.values()) == total
    while not again.idle:
        _, again = advance(again)
    assert len(store) == 16


def test_what_a_lab_handed_on_is_not_handed_on_again_after_the_commit(
    url: str, store: SQLEventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab.attach(url, bank)
    lab.send(RequestTransfer("t10", "alice", "bob", 7))
    lab.resume()
    lab.commit()
    there = list(store)
    monkeypatch.setattr(Transfer, "handle", lambda self, event: DepositFunds("alice", 1_000_000))
    again = recover(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
    assert again.agenda == [WithdrawFunds("alice", 10_00, transfer_id="t9")]
    assert (list(store), store.marks()) == (there, ({"Transfer": 17}, 17))


def test_events_that_nobody_handed_on_are_handed_on_in_the_lab_and_written_by_its_commit(
    url: str, store: SQLEventStore
) -> None:
    store.append("BankAccount-alice", [TransferInitiated("t10", "alice", "bob", 7)])
    lab = Lab.attach(url, bank, recover=True)
    assert sorted(lab.process_managers) == ["Transfer-t10", "Transfer-t9"]
    assert lab.agenda == [
        WithdrawFunds("alice", 10_00, transfer_id="t9"),
        WithdrawFunds("alice", 7, transfer_id="t10"),
    ]
    assert store.marks() == ({"Transfer": 14}, 15)
    assert not lab.commit()
    assert store.marks() == ({"Transfer": 15}, 15)
    assert len([entry for entry in store.outbox if entry.outcome is None]) == 2
    plain = Lab.attach(url, bank)
    plain.send(RequestTransfer("t11", "alice", "bob", 8))
    plain.resume()
    assert plain.commit().positions == (16, 17, 18)


def test_two_labs_that_take_up_the_same_commands_do_not_both_write_them(
    url: str, store: SQLEventStore
) -> None:
    labs = [Lab.attach(url, bank, recover=True) for _ in range(2)]
    for lab in labs:
        lab.resume()
    assert len(labs[0].commit()) == 2
    written = list(store)
    with pytest.raises(CommitConflict, match="attach a new lab"):
        labs[1].commit()
    assert list(store) == written


def test_a_branch_without_what_another_settled_and_committed_is_in_conflict_with_it(
    url: str, store: SQLEventStore
) -> None:
    balance = Lab.attach(url, bank).aggregates["BankAccount-alice"].balance
    store.append("BankAccount-alice", [FundsWithdrawn("alice", balance)])
    lab = Lab.attach(url, bank, recover=True)
    lab.step()
    assert not lab.commit(), "the command was rejected"
    assert [entry.outcome for entry in store.outbox][-2:] == ["rejected", None]
    lab.goto(0)
    lab.drop(0)
    lab.send(CreateAccount("dora"))
    lab.resume()
    with pytest.raises(CommitConflict, match="because another branch was committed"):
        lab.commit()
    assert "dora" not in "".join(store.stream_ids)


def test_a_database_of_version_1_and_one_that_is_read_only_are_attached_to(tmp_path: Path, url: str) -> None:
    old = tmp_path / "old.db"
    script = Path(__file__).parents[1] / "stores" / "sql" / "databases" / "version_1_sqlite.sql"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript(script.read_text())
    whole = old.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are not there
        for recover in (False, True):
            lab = Lab.attach(f"sqlite:///{old}", bank, recover=recover)
            lab.send(RequestTransfer("t10", "alice", "bob", 7))
            lab.step()
            assert len(lab.agenda) < 2
    assert old.read_bytes() == whole
    with SQLEventStore(url, bank, read_only=True) as store:
        assert len(Lab.attach(store, bank, recover=True).agenda) == 1


def test_a_store_without_an_outbox_has_nothing_to_take_up_and_says_so() -> None:
    lab = Lab.attach(InMemoryEventStore(), bank, recover=True)
    assert len(lab.agenda) == 0
    base = Reading(InMemoryEventStore().append("BankAccount-1", [FundsDeposited("1", 5)]))
    with pytest.warns(UserWarning, match="Reading keeps events only"):
        lab = Lab.attach(base, bank, recover=True)
    assert lab.aggregates["BankAccount-1"].balance == 5


class Reading:
    """A store of somebody's own that keeps events only."""

    def __init__(self, held: InMemoryEventStore) -> None:
        self._held = held
        self.stream, self.version = held.stream, held.version


def test_a_commit_writes_the_branch_up_to_the_cursor_and_the_next_one_only_what_is_new(url: str) -> None:
    before = rows(url)
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("alice", 5), CreateAccount("dora"), DepositFunds("alice", 6))
    lab.step()
    lab.step()
    first = lab.commit()
    assert rows(url) == [*before, *first]
    assert first.positions == (len(before) + 1, len(before) + 2)
    version = before[-1].stream_version
    assert first.streams == {"BankAccount-alice": (version, version + 1), "BankAccount-dora": (0, 1)}
    assert len(lab.agenda) == 1, "what is pending stays in the lab"
    assert not lab.commit()
    lab.step()
    second = lab.commit()
    assert [event.event for event in second] == [FundsDeposited("alice", 6)]
    assert rows(url) == [*before, *first, *second] == list(lab.events)
    lab.goto(after(lab, "Dispatched"))
    lab.goto(0)
    assert not lab.commit(), "what is looked at is written already"


def test_what_a_commit_wrote_shows_itself(url: str) -> None:
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("<b>", 5), DepositFunds("alice", 6))
    lab.resume()
    committed = lab.commit()
    assert repr(committed).splitlines() == [
        "2 events committed to 2 streams, at positions 15 to 16",
        "BankAccount-<b>  version 0 → 1",
        "BankAccount-alice  version 5 → 6",
    ]
    html = committed._repr_html_()
    assert "2 events committed" in html
    assert "BankAccount-&lt;b&gt;" in html
    assert repr(lab.commit()) == "nothing to commit: the store already has every event up to this moment"
    assert "nothing to commit" in lab.commit()._repr_html_()


def test_a_stream_that_moved_on_is_a_conflict_and_nothing_is_written(url: str, store: SQLEventStore) -> None:
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("alice", 5), DepositFunds("bob", 6))
    moment = lab.resume()
    store.append("BankAccount-alice", [FundsWithdrawn("alice", 1)])
    written = list(store)
    with pytest.raises(CommitConflict, match=r"BankAccount-alice \(built on version 5, now 6\)") as caught:
        lab.commit()
    assert caught.value.streams == {"BankAccount-alice": (5, 6)}
    assert (list(store), lab.moment) == (written, moment)
    with pytest.raises(CommitConflict):
        lab.commit()


def test_what_others_wrote_to_other_streams_is_no_conflict(url: str, store: SQLEventStore) -> None:
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("bob", 6))
    lab.resume()
    store.append("BankAccount-alice", [FundsWithdrawn("alice", 1)])
    assert (lab.commit().positions, lab.events[-1].position) == ((16,), 15)


def test_a_branch_that_left_before_what_was_committed_is_in_conflict_with_it(url: str) -> None:
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("alice", 5), DepositFunds("alice", 6))
    lab.resume()
    lab.commit()
    written = rows(url)
    lab.step_back_over()
    lab.send(DepositFunds("bob", 7))
    lab.drop(0)
    lab.resume()
    with pytest.raises(CommitConflict, match=r"BankAccount-alice \(built on version 6, now 7\)") as caught:
        lab.commit()
    assert "from another branch" in caught.value.__notes__[0]
    assert rows(url) == written
    lab.switch("main")
    lab.send(DepositFunds("bob", 8))
    lab.resume()
    assert len(lab.commit()) == 1


def test_half_a_command_is_not_committed(url: str) -> None:
    lab = Lab.attach(url, bank)
    lab.send(DepositFunds("alice", 5))
    for _ in range(3):
        lab.step_in()
    with pytest.raises(InvalidValue, match="half a command: DepositFunds is in progress at moment 3"):
        lab.commit()
    lab.step()
    assert len(lab.commit()) == 1


def test_a_lab_that_is_not_attached_has_nothing_to_commit_to(store: SQLEventStore) -> None:
    for lab in (Lab(bank), Lab(bank, stack=Stack(event_store=store))):
        with pytest.raises(InvalidValue, match=r"this lab is not attached to a store.*Lab\.attach"):
            lab.commit()


def test_an_in_memory_history_is_attached_to_and_committed_to_as_well() -> None:
    base = InMemoryEventStore().append("BankAccount-1", [FundsDeposited("1", 5)])
    lab = Lab.attach(base, bank)
    lab.send(DepositFunds("1", 6), DepositFunds("1", 7))
    lab.step()
    assert lab.commit().positions == (2,)
    lab.step()
    assert lab.commit().positions == (3,)
    assert len(base) == 1, "it is a value; the lab has the one with the events"


def test_a_store_that_is_given_stays_open_and_is_committed_to(store: SQLEventStore) -> None:
    lab = Lab.attach(store, bank, ids=seeded_ids("mine"), clock=ticking_clock("2030-01-01"))
    lab.send(DepositFunds("alice", 5))
    lab.resume()
    committed = lab.commit()
    assert list(store)[-1:] == list(committed)
    assert committed[0].recorded_at.year == 2030


def test_ids_that_the_history_has_already_are_rejected(url: str) -> None:
    with pytest.raises(
        InvalidValue, match="which is in the history already; leave ids out to get random ids"
    ):
        Lab.attach(url, bank, ids=seeded_ids("day"))


def test_a_history_without_its_code_is_shown_and_said_once(url: str) -> None:
    with pytest.warns(
        UserWarning, match=r"has no class for AccountClosed \(1 event\), AccountCreated \(3 ev"
    ) as warned:
        lab = Lab.attach(url, fulfilment)
    assert len(warned) == 1
    assert warned[0].filename == __file__
    assert [event.event_type for event in lab.events] == [event.event_type for event in rows(url)]
    assert lab.events[0].event.name == "Alice"
    assert len(lab.aggregates) == 0
    assert "BankAccount-alice" in lab.view.still()
    assert Lanes(Charts().of(lab.trace)).total == len(lab.events)


@dataclass(frozen=True)
class Noted:
    book_id: str


@dataclass(frozen=True)
class Torn:
    book_id: str
    page: int


@command(to="Book", by="book_id")
@dataclass(frozen=True)
class Note:
    book_id: str


@dataclass(frozen=True)
class Book:
    """It was written when no page had been torn out yet."""

    book_id: str
    notes: int = 0

    @classmethod
    def new(cls, book_id: str) -> Book:
        return cls(book_id)

    def execute(self, _: Note) -> Noted:
        return Noted(self.book_id)

    def apply(self, event: Any) -> Any:
        match event:
            case Noted():
                return replace(self, notes=self.notes + 1)


class Reader:
    """A process manager that breaks over what it does not know."""

    @classmethod
    def interested(cls, event: Any) -> Any:
        return {"Noted": Start(event.book_id)}[type(event).__name__]

    @classmethod
    def new(cls, id: str) -> Reader:  # noqa: A002
        return cls()

    def apply(self, event: Any) -> Reader:
        return self

    def handle(self, event: Any) -> None:
        return None


def test_what_cannot_take_an_event_is_left_out_and_named_and_the_rest_is_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'books.db'}"
    with SQLEventStore(url) as store:
        for book_id in "123":
            store.append(f"Book-{book_id}", [Noted(book_id)])
        store.append("Book-1", [Torn("1", 7)]).append("Book-2", [Torn("2", 8)])
    with pytest.warns(UserWarning, match="the model has no class for Torn") as warned:
        lab = Lab.attach(url, aggregates=[Book], process_managers=[Reader])
    assert len(warned) == 1
    assert "Book-1 and 2 more are left out" in str(warned[0].message)
    assert "Book.apply cannot take in Torn(book_id='1', page=7)" in str(warned[0].message)
    assert (list(lab.aggregates), len(lab.events)) == (["Book-3"], 5)
    assert "Book-1" in lab.view.still()
    lab.send(Note("1"))
    with pytest.raises(ModelError, match=r"Book\.apply cannot take in Torn"):
        lab.step()
    assert lab.abandon() == []
    lab.send(Note("3"))
    with pytest.raises(ModelError, match=r"Reader\.interested raised KeyError: 'Torn'"):
        lab.step()


def test_what_is_wrong_with_a_store_or_a_model_is_said_before_anything_is_opened(
    tmp_path: Path, url: str
) -> None:
    with pytest.raises(StoreError):
        Lab.attach(f"sqlite:///{tmp_path / 'nowhere.db'}", bank)
    assert not (tmp_path / "nowhere.db").exists(), "opening a history makes none"
    with pytest.raises(InvalidModel):
        Lab.attach(url, 7)  # type: ignore[arg-type]
    with pytest.raises(UnknownArgument, match="did you mean 'position'"):
        Lab.attach(url, bank, positon=4)
    with pytest.raises(InvalidValue):
        Lab.attach(7, bank)


def test_an_attached_lab_is_replayed_on_the_classes_of_now_over_the_same_history(
    url: str, store: SQLEventStore
) -> None:
    before, remade = rows(url), Remade(bank)
    lab = Lab.attach(url, bank, ids=seeded_ids("lab"), clock=ticking_clock(), recover=True)
    lab.send(DepositFunds("alice", 5))
    lab.resume()
    told = [repr(event) for event in lab.events]
    with remade as now:
        replay = lab.reload(now)
        assert (replay.unplayed, replay.differences, replay.states) == ((), (), ())
        assert [repr(event) for event in lab.events] == told
        assert {type(event.event) for event in lab.events} <= {*lab.model.events}
        assert len(lab.commit()) == len(told) - len(before)
    lab.switch("main")
    with pytest.raises(CommitConflict):
        lab.commit()
    with remade as now, pytest.raises(InvalidValue, match="This lab has committed events to its store"):
        lab.reload(now)
    assert (lab.trace.branch.name, len(rows(url))) == ("main", len(told))
    other = Lab.attach(url, bank)
    store.append("BankAccount-zoe", [bank.AccountCreated("zoe")])  # another writer, meanwhile
    with remade as now:
        other.reload(now)
    assert len(other.events) == len(told)
