"""Saved traces: what is saved is loaded, to the byte; and what no longer fits is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab import Identity, Lab, Rejected, Stack, command, seeded_ids, ticking_clock
from calamity_lab.errors import InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank import (
    BankAccount,
    DepositFunds,
    RequestTransfer,
    WithdrawFunds,
)
from calamity_lab.kernel.recovery import rebuild
from calamity_lab.model import Model
from calamity_lab.stores import SQLEventStore
from calamity_lab.stores.serializer import Serializer
from tests.kernel.test_rejections_change_instances import (
    Close,
    Closed,
    Order,
    Ordered,
    Sell,
    Seller,
    Shop,
    Sold,
    SoldOut,
)
from tests.trace.test_replay import wander


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def told(lab: Lab) -> dict[str, Any]:
    """Everything that a trace is, as values that can be compared."""
    return {
        name: (
            branch.parent,
            branch.forked_at,
            [(entry.input, entry.at, entry.after) for entry in branch.inputs],
            list(branch.index.events),
            [(repr(moment), list(moment.agenda.pending)) for moment in branch.moments],
            [dict(moment.stack.aggregates) for moment in branch.moments],
            [dict(moment.stack.process_managers) for moment in branch.moments],
        )
        for name, branch in lab.branches.items()
    }


def wandered(seed: int, **sources: Any) -> tuple[Any, Lab]:
    random = Random(seed)
    module, commands = random.choice(
        [
            (bank, list(bank.random_commands(12, seed=seed, accounts=3))),
            (fulfilment, list(fulfilment.story())[:6]),
        ]
    )
    lab = Lab(module, checked=False, **sources)
    wander(lab, commands, random)
    if random.random() < 0.5:
        lab.goto(-1)
        lab.replay(without=random.randrange(len(lab.submitted)), name="edited")
        wander(lab, commands[:3], random)
    if len(lab.branches) > 1 and random.random() < 0.5:
        lab.remove(next(name for name in lab.branches if name != lab.trace.branch.name))
    lab.rename(lab.trace.branch.name, "the last one")
    lab.goto(random.randrange(len(lab.trace)))
    return module, lab


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_saved_is_loaded_to_the_byte(seed: int) -> None:
    module, lab = wandered(seed, ids=seeded_ids(seed), clock=ticking_clock())
    check_both_ways(module, lab)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_the_times_and_ids_of_no_seed_are_loaded_as_they_were_recorded(seed: int) -> None:
    ids = Stack().ids  # random ones
    module, lab = wandered(seed, ids=ids)
    check_both_ways(module, lab)


def check_both_ways(module: Any, lab: Lab) -> None:
    with TemporaryDirectory() as folder:
        first, second = Path(folder, "first.jsonl"), Path(folder, "second.jsonl")
        lab.save(first)
        again = Lab.load(first, module)
        assert again.loaded is not None
        assert (again.loaded.is_same, again.loaded.problems) == (True, ()), repr(again.loaded)
        assert told(again) == told(lab)
        assert (again.trace.branch.name, again.cursor) == (lab.trace.branch.name, lab.cursor)
        again.save(second)
        assert second.read_bytes() == first.read_bytes()


# What the run began with.


def test_the_start_of_a_run_is_saved_its_states_events_versions_and_pending_commands(path: Path) -> None:
    before = Lab(bank, ids=seeded_ids(3), clock=ticking_clock())
    before.send(DepositFunds("1", 100), RequestTransfer("t", "1", "2", 60), metadata={"user": "ada"})
    before.goto(-1)
    for _ in range(8):
        before.step_in()
    run = before.trace[-1].run
    while run.progress is not None:
        before.step_in()
        run = before.trace[-1].run
    stack = replace(run.stack, aggregates={**run.stack.aggregates, "BankAccount-9": BankAccount("9", 7)})
    lab = Lab(bank, stack=replace(run, stack=stack))
    lab.send(WithdrawFunds("9", 7))
    lab.resume()
    again = Lab.load(lab.save(path), bank)
    assert again.loaded is not None
    assert again.loaded.is_same, again.loaded
    assert told(again) == told(lab)
    assert again.aggregates["BankAccount-9"].balance == 0


SHOP = Model.of([Shop, Order, Sell, Ordered, Sold, Closed, Close, Seller])


def test_the_rejections_that_changed_instances_of_the_start_are_saved(path: Path) -> None:
    before = Lab(SHOP)
    before.send(Order("stall", (9,)), Order("2", (8, 7)))
    before.resume()
    lab = Lab(SHOP, stack=before.trace[-1].run)
    lab.send(Order("1", (6,)))
    lab.resume()
    again = Lab.load(lab.save(path), SHOP)
    assert again.loaded is not None
    assert again.loaded.is_same, again.loaded
    start = again.trace[0].run.stack
    assert start.rejections == lab.trace[0].run.stack.rejections
    assert rebuild(start).process_managers == before.process_managers
    (kept, *_) = start.rejections["Seller-stall"]
    assert type(kept.rejected) is SoldOut


def test_a_rejection_of_the_start_without_its_class_or_its_command_is_told(path: Path) -> None:
    before = Lab(SHOP)
    before.send(Order("stall", (9,)))
    before.resume()
    Lab(SHOP, stack=before.trace[-1].run).save(path)
    text = path.read_text()
    assert '"rejection": "SoldOut"' in text
    path.write_text(text.replace('"SoldOut"', '"Gone"').replace('"command": ["Sell"', '"command": ["Lost"'))
    again = Lab.load(path, SHOP)
    assert again.loaded is not None
    no_class, no_command = again.loaded.problems
    assert no_class.endswith("is a plain Rejected now: no module of the model has Gone")
    assert no_command.endswith("is left out: the model has no command Lost")
    rejected = Rejected("sold out", count=9, stock=5)
    ((kept, *_),) = again.trace[0].run.stack.rejections.values()
    assert kept.rejected == rejected
    assert Lab.load(again.save(path), SHOP).trace[0].run.stack.rejections


def test_notes_are_saved_with_the_branch_the_moment_and_what_was_selected(path: Path) -> None:
    lab = Lab(bank)
    lab.send(DepositFunds("1", 100))
    lab.resume()
    lab.select("BankAccount-1")
    lab.note("here it begins")
    again = Lab.load(lab.save(path), bank)
    (note,) = again.notes
    assert (note.text, note.branch, note.moment.index) == ("here it begins", "main", lab.cursor)
    again.goto(0)
    again.goto(note)
    assert again.stepper.selection == lab.stepper.selection


def test_a_file_has_readable_lines_and_names_its_model(path: Path) -> None:
    lab = Lab(bank)
    lab.send(DepositFunds("1", 100))
    lab.resume()
    header, *lines = [json.loads(line) for line in lab.save(path).read_text("utf-8").splitlines()]
    assert (header["calamity_lab"], header["format"], header["lines"]) == ("trace", 1, len(lines) + 1)
    assert "BankAccount" in header["model"]["aggregates"]
    sent = next(line for line in lines if line.get("input") == "Submitted")
    assert sent["commands"] == [["DepositFunds", 1, {"account_id": "1", "amount": 100, "transfer_id": None}]]


# What no longer fits.


@dataclass(frozen=True)
class Paid:
    jar_id: str
    amount: int


@command(to="Jar", by="jar_id")
@dataclass(frozen=True)
class Pay:
    jar_id: str
    amount: int
    memo: str = ""


@command(to="Jar", by="jar_id")
@dataclass(frozen=True)
class Empty:
    jar_id: str


@dataclass(frozen=True)
class Jar:
    jar_id: str
    held: int = 0

    @classmethod
    def new(cls, jar_id: str) -> Self:
        return cls(jar_id)

    def execute(self, command: Any) -> Paid:
        return Paid(self.jar_id, getattr(command, "amount", -self.held))

    def apply(self, event: Paid) -> Self:
        return replace(self, held=self.held + event.amount)


def jar_lab() -> Lab:
    lab = Lab(aggregates=[Jar], commands=[Pay, Empty], ids=seeded_ids(1), clock=ticking_clock())
    lab.send(Pay("a", 5, "gift"), Empty("a"), Pay("a", 2))
    lab.resume()
    return lab


def classes_of_today() -> dict[str, type]:
    """The jar with a limit; its command without a memo; and no command that empties it."""

    @dataclass(frozen=True)
    class Paid:
        jar_id: str
        amount: int

    @dataclass(frozen=True)
    class Pay:
        jar_id: str
        amount: int

        def aggregate(self) -> tuple[type, str]:
            return Jar, self.jar_id

    @dataclass(frozen=True)
    class Jar:
        jar_id: str
        held: int = 0

        @classmethod
        def new(cls, jar_id: str) -> Self:
            return cls(jar_id)

        def execute(self, command: Pay) -> Paid:
            if self.held + command.amount > 6:
                raise Rejected("full", held=self.held)
            return Paid(self.jar_id, command.amount)

        def apply(self, event: Paid) -> Self:
            return replace(self, held=self.held + event.amount)

    return {"Paid": Paid, "Pay": Pay, "Jar": Jar}


def test_a_model_that_has_changed_opens_the_trace_and_says_where_it_answers_otherwise(path: Path) -> None:
    jar_lab().save(path)
    today = classes_of_today()
    lab = Lab.load(path, today)
    assert lab.loaded is not None
    assert not lab.loaded.is_same
    assert lab.aggregates["Jar-a"].held == 5
    assert lab.loaded.problems == (
        "A command of 'main': Pay has no field memo any more, which is left out",
        "A command of 'main' is left out: the model has no command Empty",
        "A command of 'main': Pay has no field memo any more, which is left out",
    )
    replay = lab.loaded["main"]
    assert [(row.outcome, row.differs) for row in replay if row.moment] == [
        ("same", ""),
        ("rejected", "is now rejected: full (held 5)"),
    ]
    assert "Pay is now rejected" in repr(lab.loaded)
    assert "Empty" in lab.loaded._repr_html_()


def test_a_command_with_fields_that_cannot_be_filled_is_left_out_and_an_upcaster_brings_it_back(
    path: Path,
) -> None:
    jar_lab().save(path)

    @dataclass(frozen=True)
    class Pay:
        jar_id: str
        amount: int
        currency: str

        def aggregate(self) -> tuple[type, str]:
            return Jar, self.jar_id

    today = [Jar, Pay, Empty, Paid]
    lab = Lab.load(path, aggregates=[Jar], commands=[Pay, Empty])
    assert lab.loaded is not None
    assert "currency" in lab.loaded.problems[0]
    upcast = Serializer(today, upcasters={("Pay", 1): lambda held: {**held, "currency": "EUR"}})
    mended = Lab.load(path, aggregates=[Jar], commands=[Pay, Empty], serializer=upcast)
    assert [each.command for each in mended.submitted if isinstance(each.command, Pay)] == [
        Pay("a", 5, "EUR"),
        Pay("a", 2, "EUR"),
    ]


def test_an_event_that_is_now_another_one_is_a_difference(path: Path) -> None:
    jar_lab().save(path)
    text = path.read_text("utf-8").replace(
        '["Paid", 1, {"jar_id": "a", "amount": 2}]', '["Gone", 1, {"x": 1}]'
    )
    path.write_text(text, "utf-8")
    lab = Lab.load(path, aggregates=[Jar], commands=[Pay, Empty])
    assert lab.loaded is not None
    assert [row.differs for row in lab.loaded["main"].differences] == ["Gone → Paid"]


# Files that are no good.


def broken(path: Path) -> Iterator[tuple[str, str]]:
    """Files that are not opened: what each has, and what is said."""
    good = path.read_text("utf-8")
    header, rest = good.split("\n", 1)
    yield "", "is not a saved trace"
    yield "{}\n", "is not a saved trace"
    yield "\x00\x01" * 1000, "is not a saved trace"
    yield good.replace('"format": 1', '"format": 2'), "reads format 1"
    yield good.replace('"aggregates": ["Jar"]', '"aggregates": ["Order"]'), "saved with another model"
    yield good.replace('"lines"', '"rows"', 1), "damaged header"
    yield f"{header}\n", "ends before its first branch"
    yield (
        good.replace('"branch": "main", "parent"', '"branch": "main", "mother"'),
        "that lab.save did not write",
    )
    yield header + '\n{"nothing": 1}\n' + rest.split("\n", 1)[1], "that lab.save did not write"


def test_a_file_that_is_no_trace_is_refused_with_its_name(path: Path) -> None:
    jar_lab().save(path)
    for content, message in list(broken(path)):
        path.write_text(content, "utf-8")
        with pytest.raises(InvalidValue) as error:
            Lab.load(path, aggregates=[Jar], commands=[Pay, Empty])
        assert message in str(error.value)
        assert str(path) in str(error.value)


def test_a_large_file_of_something_else_is_refused_without_being_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(InvalidValue, match="not a saved trace"):
        Lab.load(path, bank)


def test_a_file_that_was_cut_off_opens_as_far_as_it_goes(path: Path) -> None:
    lab = jar_lab()
    whole = lab.save(path).read_bytes()
    for length in range(whole.index(b'{"branch"'), len(whole) - 1, 97):
        path.write_bytes(whole[:length])
        if whole[:length].count(b'{"branch"') and whole[:length].rfind(b"\n") > whole.index(
            b'{"branch": "main"'
        ):
            again = Lab.load(path, aggregates=[Jar], commands=[Pay, Empty])
            assert again.loaded is not None
            assert any("left out" in problem for problem in again.loaded.problems)
            assert len(again.trace) <= len(lab.trace)


def test_a_line_that_is_not_utf_8_ends_what_is_opened(path: Path) -> None:
    whole = jar_lab().save(path).read_bytes()
    path.write_bytes(whole.replace(b"gift", b"\xff\xfe\xfd\xfc"))
    with pytest.raises(InvalidValue):
        Lab.load(path.parent, bank)
    lab = Lab.load(path, aggregates=[Jar], commands=[Pay, Empty])
    assert lab.loaded is not None
    assert "cannot be read" in lab.loaded.problems[0]


def test_what_cannot_be_written_leaves_an_earlier_file_as_it_was(path: Path) -> None:
    lab = jar_lab()
    before = lab.save(path).read_bytes()
    lab.send(Pay("a", 1, object()))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        lab.save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    for bad, message in [(path.parent, "folder"), (path / "x", "ot a directory"), (3, "path of a file")]:
        with pytest.raises(InvalidValue, match=message):
            jar_lab().save(bad)
    with pytest.raises(InvalidValue, match="No such file"):
        Lab.load(path.parent / "missing.jsonl", bank)


def test_a_lab_over_a_store_that_keeps_its_events_says_how_to_save_them(tmp_path: Path, path: Path) -> None:
    url = f"sqlite:///{tmp_path}/bank.db"
    SQLEventStore(url, bank).close()
    lab = Lab.attach(url, bank)
    with pytest.raises(InvalidValue, match="to_parquet"):
        lab.save(path)


def test_a_lab_that_was_loaded_goes_on_as_the_saved_one_does(path: Path) -> None:
    lab = jar_lab()
    again = Lab.load(lab.save(path), aggregates=[Jar], commands=[Pay, Empty])
    for each in (lab, again):
        each.send(Pay("b", 1))
        each.resume()
        each.replay(without=0)
    assert told(again) == told(lab)
    assert Identity(Jar, "b").stream_id in again.aggregates
