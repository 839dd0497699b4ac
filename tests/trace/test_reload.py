"""Replays on the classes as they are now: a class was mended, renamed or removed, and the run goes on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.clocks_and_ids import seeded_ids, ticking_clock
from calamity_lab.kernel.run import begin
from calamity_lab.kernel.schema import fields_of, is_record
from calamity_lab.kernel.stack import Stack
from calamity_lab.lab.lab import Lab
from calamity_lab.probe.near_misses import near_misses
from tests.trace.test_replay import wander

SOURCE = """
from dataclasses import dataclass, field, replace
from enum import Enum

from calamity_lab import Rejected, Start, command


class Currency(Enum):
    EUR = "eur"
    USD = "usd"


@dataclass(frozen=True)
class Money:
    amount: int
    currency: Currency = Currency.EUR


@dataclass(frozen=True)
class Paid:
    account_id: str
    money: Money


@dataclass(frozen=True)
class Thanked:
    account_id: str


@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Pay:
    account_id: str
    money: Money
    tags: tuple[Currency, ...] = ()


@command(to="Account", by="account_id")
@dataclass(frozen=True)
class Thank:
    account_id: str


@dataclass(frozen=True)
class Account:
    account_id: str
    balance: int = 0
    last: Money | None = None

    @classmethod
    def new(cls, account_id):
        return cls(account_id)

    def execute(self, command):
        match command:
            case Pay():
                if command.money.amount > 100:
                    raise Rejected("too much")
                assert isinstance(command.money, Money)
                return Paid(self.account_id, command.money)
            case Thank():
                return Thanked(self.account_id)

    def apply(self, event):
        match event:
            case Paid(money=money):
                return replace(self, balance=self.balance + money.amount, last=money)
        return self


@dataclass(frozen=True)
class Thanks:
    account_id: str

    @classmethod
    def interested(cls, event):
        return Start(event.account_id) if isinstance(event, Paid) else None

    @classmethod
    def new(cls, account_id):
        return cls(account_id)

    def apply(self, event):
        return self

    def handle(self, event):
        return Thank(self.account_id)


@dataclass(frozen=True)
class Total:
    amount: int = 0

    @classmethod
    def new(cls):
        return cls()

    def apply(self, event):
        return replace(self, amount=self.amount + event.money.amount) if isinstance(event, Paid) else self
"""


class Notebook:
    """A module whose cells can be run again, each with changes of its text."""

    def __init__(self, name: str) -> None:
        self.module = ModuleType(name)
        self.names = vars(self.module)

    def run(self, *changes: tuple[str, str]) -> None:
        source = SOURCE
        for old, new in changes:
            assert old in source
            source = source.replace(old, new)
        exec(compile(source, "<cell>", "exec", dont_inherit=True), self.names)

    def lab(self, **options: Any) -> Lab:
        options = {"ids": seeded_ids(7), "clock": ticking_clock(), "checked": False, **options}
        return Lab(self.names, **options)

    def pay(self, amount: int, **fields: Any) -> Any:
        return self.names["Pay"]("a", self.names["Money"](amount), **fields)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    made = Notebook("a_notebook")
    monkeypatch.setitem(sys.modules, "a_notebook", made.module)
    made.run()
    return made


@pytest.fixture
def paid(notebook: Notebook) -> Lab:
    lab = notebook.lab()
    lab.send(notebook.pay(50), notebook.pay(80, tags=(notebook.names["Currency"].USD,)))
    lab.resume()
    return lab


def dump(lab: Lab) -> list[str]:
    return [repr(event) for event in lab.events]


def classes_in(value: Any) -> Iterator[type]:
    yield type(value)
    parts = value if isinstance(value, tuple) else fields_of(value).values() if is_record(value) else ()
    for part in () if isinstance(value, Enum) else parts:
        yield from classes_in(part)


def test_a_mended_class_decides_again_on_a_new_branch_that_is_looked_at(
    notebook: Notebook, paid: Lab
) -> None:
    notebook.run(("> 100", "> 60"))
    replay = paid.reload()
    assert replay.sentence == (
        "3 commands replayed on 'branch 1'; the first difference is at step 12: Pay is now rejected"
    )
    assert paid.stepper.branching == replay.sentence
    assert paid.trace.branch.name == "branch 1"
    assert paid.cursor == paid.trace.last
    assert paid.aggregates["Account-a"].balance == 50
    assert replay.first_difference == 12


def test_all_that_is_replayed_is_of_the_classes_of_now(notebook: Notebook, paid: Lab) -> None:
    earlier = {name: value for name, value in notebook.names.items() if isinstance(value, type)}
    notebook.run()
    paid.reload()
    commands = [each.command for each in paid.submitted]
    events = [each.event for each in paid.events]
    held = [*commands, *events, *paid.aggregates.values(), *paid.process_managers.values()]
    used = {cls for value in [*held, *paid.projections.values()] for cls in classes_in(value)}
    ours = {cls for cls in used if cls.__module__ == "a_notebook"}
    assert {cls.__name__ for cls in ours} == set(earlier) - {"Enum", "Rejected", "Start", "Thank"}
    assert all(notebook.names[cls.__name__] is cls for cls in ours)
    assert paid.submitted[1].command.tags == (notebook.names["Currency"].USD,)


def test_the_earlier_branch_keeps_its_classes_and_says_where_those_of_now_are(
    notebook: Notebook, paid: Lab
) -> None:
    before, model = dump(paid), paid.model
    notebook.run(("> 100", "> 60"), ("class Thank:", "class Thank:\n    '''Now.'''"))
    paid.reload()
    assert paid.model is not model
    paid.switch("main")
    assert paid.model is model
    assert dump(paid) == before
    paid.goto(4)
    assert paid.aggregates["Account-a"].balance == 50
    with pytest.raises(
        InvalidModel, match=r"this branch keeps the earlier class\..* lab\.switch\('branch 1'\)"
    ):
        paid.send(notebook.pay(5))
    assert paid.form.contents.views()["form"].forms[1].doc == ""
    paid.switch("branch 1")
    assert paid.form.contents.views()["form"].forms[1].doc == "Now."
    paid.send(notebook.pay(5))


def test_a_mended_apply_is_told_where_every_decision_is_the_same(notebook: Notebook, paid: Lab) -> None:
    notebook.run(("self.balance + money.amount, last", "self.balance + 2 * money.amount, last"))
    assert paid.reload().sentence == (
        "4 commands replayed on 'branch 1' and decided as before; different at the end is "
        "Account-a.balance: 130 → 260"
    )


def test_with_no_other_class_and_no_difference_the_lab_stays_where_it_is(
    notebook: Notebook, paid: Lab
) -> None:
    paid.goto(3)
    replay = paid.reload()
    assert replay.sentence == "4 commands replayed on 'main'; no difference"
    assert (list(paid.branches), paid.cursor) == (["main"], 3)
    notebook.names["Account"].execute = lambda self, command: None  # as %autoreload changes a class
    assert "at step 3: Pay now has a different outcome" in paid.reload().sentence
    assert list(paid.branches) == ["main", "branch 1"]


def test_a_lab_in_which_nothing_was_done_has_no_second_branch(notebook: Notebook) -> None:
    lab = notebook.lab()
    notebook.run()
    assert lab.reload().sentence == "0 commands replayed on 'main'; no difference"
    lab.send(notebook.pay(5))
    assert lab.resume().stack.aggregates["Account-a"].balance == 5


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (
            ("    tags: tuple[Currency, ...] = ()", "    note: str"),
            "note: the field is new, and has no default",
        ),
        (("    tags: tuple[Currency, ...] = ()", ""), "tags: the class has no such field any more"),
        (('    USD = "usd"\n', ""), "Currency cannot be made: it has no member USD any more"),
        (
            ("class Pay:", "class Give:"),
            "no command Pay any more. If the class was renamed, write stored_name",
        ),
        (("    amount: int\n    currency", "    amount: int\n    note: str\n    currency"), "note"),
    ],
)
def test_a_command_that_does_not_fit_is_left_out_and_tried_again_later(
    notebook: Notebook, paid: Lab, change: tuple[str, str], why: str
) -> None:
    before = dump(paid)
    notebook.run(change, *([("case Pay", "case Give")] if "Give" in change[1] else []))
    if "Give" in change[1]:
        del notebook.names["Pay"]
    replay = paid.reload()
    assert why in replay.unplayed[-1]
    assert replay.unplayed[-1].startswith("Pay (number 1): ")
    assert f"Not replayed: {replay.unplayed[-1]}" in repr(replay)
    notebook.run()  # the class is as it was
    assert paid.reload().unplayed == ()
    assert dump(paid) == before


def test_a_class_that_other_classes_hold_is_made_again_and_they_are_named(
    notebook: Notebook, paid: Lab
) -> None:
    pay = notebook.names["Pay"]
    source = SOURCE[SOURCE.index("@dataclass") : SOURCE.index("@dataclass(frozen=True)\nclass Paid")]
    exec(compile(source, "<cell>", "exec", dont_inherit=True), notebook.names)
    assert paid.reload().sentence == "4 commands replayed on 'branch 1'; no difference"
    assert type(paid.submitted[0].command) is pay
    assert type(paid.submitted[0].command.money) is notebook.names["Money"]
    assert type(paid.events[0].event.money) is notebook.names["Money"]
    advice = (
        "the field money of Pay still has the earlier Money, which was defined again since: run the cell of "
    )
    assert f"{advice}Pay again" in near_misses(paid.model)


def test_a_field_that_was_added_and_is_taken_back_loses_nothing(notebook: Notebook, paid: Lab) -> None:
    before = dump(paid)
    notebook.run(
        ("    tags: tuple[Currency, ...] = ()", "    tags: tuple[Currency, ...] = ()\n    note: str = ''")
    )
    paid.reload()
    assert paid.submitted[0].command.note == ""
    notebook.run()
    assert paid.reload().unplayed == ()
    assert dump(paid) == before


def test_what_was_left_out_is_tried_again_where_the_branch_went_on(notebook: Notebook, paid: Lab) -> None:
    notebook.run(('    USD = "usd"\n', ""))
    assert len(paid.reload().unplayed) == 1
    paid.send(notebook.pay(7))
    paid.resume()
    notebook.run()
    assert paid.reload().unplayed == ()
    assert [each.event.money.amount for each in paid.events if each.event_type == "Paid"] == [50, 80, 7]


def test_a_renamed_class_is_found_by_its_stored_name(notebook: Notebook, paid: Lab) -> None:
    for name in ("Pay", "Account", "Thanks"):
        del notebook.names[name]
    notebook.run(
        (
            "@dataclass(frozen=True)\nclass Pay:",
            '@dataclass(frozen=True)\nclass Give:\n    stored_name = "Pay"',
        ),
        ("case Pay", "case Give"),
        ("class Account:", 'class Wallet:\n    stored_name = "Account"'),
        ('to="Account"', 'to="Wallet"'),
        ("class Thanks:", 'class Gratitude:\n    stored_name = "Thanks"'),
    )
    assert paid.reload().sentence == "4 commands replayed on 'branch 1'; no difference"
    assert type(paid.aggregates["Account-a"]).__name__ == "Wallet"


def test_a_class_that_raises_stops_the_replay_before_it_and_the_rest_waits(
    notebook: Notebook, paid: Lab
) -> None:
    before = dump(paid)
    paid.send(notebook.pay(1))
    paid.resume()
    whole = dump(paid)
    notebook.run(("raise Rejected", "raise NameError"), ("> 100", "> 60"))
    replay = paid.reload()
    assert "Account.execute raised NameError" in str(replay.error)
    assert repr(replay).startswith("2 commands replayed on 'branch 1', which stopped at step 11\nStopped")
    assert paid.cursor == paid.trace.last == 11
    assert dump(paid) == before[:2]
    assert paid.stepper.error is replay.error
    notebook.run()
    assert paid.reload().sentence == "6 commands replayed on 'branch 2'; no difference"
    assert dump(paid) == whole


def test_a_command_in_progress_is_in_progress_on_the_new_branch(notebook: Notebook, paid: Lab) -> None:
    paid.send(notebook.pay(1))
    paid.step_in()
    paid.step_in()
    notebook.run(("> 100", "> 200"))
    paid.reload()
    assert paid.trace.last == paid.cursor == len(paid.branches["main"].moments) - 1
    assert paid.run.progress is not None
    assert paid.resume().stack.aggregates["Account-a"].balance == 131


def test_a_process_manager_and_a_projection_are_those_of_now(notebook: Notebook, paid: Lab) -> None:
    notebook.run(
        ("return Thank(self.account_id)", "return None"), ("event.money.amount)", "10 * event.money.amount)")
    )
    replay = paid.reload()
    assert [row.outcome for row in replay] == ["same", "gone", "same", "gone"]
    assert paid.projections["Total"].amount == 1300
    del notebook.names["Thanks"], notebook.names["Total"]
    paid.reload(notebook.module)
    assert paid.stack.process_manager_types == ()
    assert len(paid.projections) == 0
    paid.switch("main")
    assert paid.projections["Total"].amount == 130


def test_what_a_lab_began_with_is_made_again(notebook: Notebook) -> None:
    earlier = notebook.lab()
    earlier.send(notebook.pay(50))
    earlier.resume()
    started = notebook.names["Account"]("b", 5, notebook.names["Money"](5))
    stack = Stack(
        aggregates={**earlier.stack.aggregates, "Account-b": started},
        aggregate_versions=earlier.stack.aggregate_versions,
        process_managers={"Thanks-b": notebook.names["Thanks"]("b")},
        event_store=earlier.stack.event_store,
        clock=ticking_clock(),
        ids=seeded_ids(3),
    )
    lab = notebook.lab(stack=begin(stack, notebook.pay(9)), clock=None, ids=None)
    lab.resume()
    before = dump(lab)
    notebook.run(("self.balance + money.amount, last", "self.balance + 2 * money.amount, last"))
    replay = lab.reload()
    assert dump(lab) == before
    assert lab.aggregates["Account-a"].balance == 118  # also the first 50 is counted twice
    assert lab.aggregates["Account-b"] == notebook.names["Account"]("b", 5, notebook.names["Money"](5))
    assert type(lab.process_managers["Thanks-b"]) is notebook.names["Thanks"]
    assert type(lab.events[0].event) is notebook.names["Paid"]
    assert [row.outcome for row in replay] == ["same"] * len(replay)


def test_a_state_that_does_not_fit_is_an_error_that_changes_nothing(notebook: Notebook) -> None:
    started = notebook.names["Account"]("b", 5)
    lab = notebook.lab(stack=Stack(aggregates={"Account-b": started}))
    notebook.run(("    balance: int = 0\n    last", "    owner: str\n    balance: int = 0\n    last"))
    with pytest.raises(
        InvalidModel, match=r"began with Account-b that does not fit .* owner: the field is new"
    ):
        lab.reload()
    assert list(lab.branches) == ["main"]
    assert lab.aggregates["Account-b"] is started


def test_a_lab_that_began_in_the_middle_of_a_command_says_so(notebook: Notebook) -> None:
    begun = notebook.lab()
    begun.send(notebook.pay(5))
    begun.step_in()
    lab = notebook.lab(stack=begun.run, clock=None, ids=None)
    notebook.run()
    with pytest.raises(InvalidValue, match="This lab began while Pay was in progress"):
        lab.reload()


def test_a_reload_within_a_callback_is_refused(notebook: Notebook, paid: Lab) -> None:
    notebook.names["lab"] = paid
    notebook.run(("assert isinstance(command.money, Money)", "lab.reload()"))
    replay = paid.reload()
    assert "lab.reload() was called while the lab runs a step" in str(replay.error)


def test_a_class_that_a_module_imported_earlier_is_named(notebook: Notebook, paid: Lab) -> None:
    names = dict(notebook.names)
    lab = Lab({"Account": names["Account"], "__name__": "elsewhere"}, checked=False)
    whole = Lab(names, checked=False)
    notebook.run()
    with pytest.raises(InvalidModel, match="run the cells again that import or use it"):
        whole.reload()
    with pytest.raises(InvalidModel, match=r"import it again, as in `from a_notebook import \w+`"):
        lab.reload()
    earlier = names["Account"]
    notebook.names["Pay"].aggregate = lambda self: (earlier, self.account_id)
    assert "Pay goes to an earlier Account" in paid.reload().unplayed[0]


def test_other_ids_and_another_clock_begin_the_new_branch(notebook: Notebook, paid: Lab) -> None:
    before = [each.event_id for each in paid.events]
    paid.reload(ids=seeded_ids(7), clock=ticking_clock())
    assert list(paid.branches) == ["main"]
    paid.reload(ids=seeded_ids(8))
    assert not set(before) & {each.event_id for each in paid.events}
    assert list(paid.branches) == ["main", "branch 1"]


LIBRARIES = {
    "attrs": ("import attrs", "@attrs.frozen"),
    "msgspec": ("import msgspec", "(msgspec.Struct, frozen=True)"),
    "pydantic": ("import pydantic", "(pydantic.BaseModel, frozen=True)"),
    "named tuple": ("from typing import NamedTuple", "(NamedTuple)"),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_messages_of_every_kind_are_made_again(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load, written = LIBRARIES[library]
    pytest.importorskip(load.split()[1].partition(".")[0])
    decorator, base = (written, "") if written.startswith("@") else ("", written)

    def message(name: str) -> str:
        return f"{decorator}\nclass {name}{base}:\n    id: str\n    coin: Coin\n    coins: list[Coin] = []\n"

    coin = f"{decorator}\nclass Coin{base}:\n    value: int\n"
    source = (
        f"from calamity_lab import command\n{load}\n{coin}"
        + message("Inserted")
        + message("Insert").replace(
            decorator + "\nclass", f"@command(to='Slot', by='id')\n{decorator}\nclass", 1
        )
        + "class Slot:\n    def __init__(self, id: str, coins: tuple = ()):\n"
        "        self.id, self.coins = id, coins\n"
        "    @classmethod\n    def new(cls, id):\n        return cls(id)\n"
        "    def execute(self, command):\n        assert isinstance(command, Insert)\n"
        "        return Inserted(id=command.id, coin=command.coin, coins=command.coins)\n"
        "    def apply(self, event):\n        return Slot(self.id, (*self.coins, event.coin))\n"
    )
    module = ModuleType("slots")
    monkeypatch.setitem(sys.modules, "slots", module)
    names: Any = vars(module)
    exec(source, names)
    lab = Lab(module, checked=False)
    coins = [names["Coin"](value=2)]
    lab.send(names["Insert"](id="1", coin=names["Coin"](value=5), coins=coins))
    lab.resume()
    exec(source, names)
    assert lab.reload().sentence == "1 command replayed on 'branch 1'; no difference"
    event = lab.events[0].event
    assert type(event.coin) is type(event.coins[0]) is names["Coin"]
    assert (event.coin.value, event.coins[0].value) == (5, 2)


# the law: the same classes, made again, give the same history to the byte


class Remade:
    """The modules of an example, loaded a second time."""

    def __init__(self, module: ModuleType) -> None:
        self.earlier = self._loaded(module)
        for name in self.earlier:
            del sys.modules[name]
        try:
            self.module = importlib.import_module(module.__name__)
            self.now = self._loaded(module)
        finally:
            sys.modules.update(self.earlier)
            # An import also sets the name in the package, from where other tests import the module.
            package, _, name = module.__name__.rpartition(".")
            setattr(sys.modules[package], name, module)

    @staticmethod
    def _loaded(module: ModuleType) -> dict[str, ModuleType]:
        return {name: each for name, each in sys.modules.items() if name.startswith(module.__name__)}

    def __enter__(self) -> ModuleType:
        sys.modules.update(self.now)
        return self.module

    def __exit__(self, *_: object) -> None:
        sys.modules.update(self.earlier)


REMADE = [(module, Remade(module)) for module in (bank, fulfilment)]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), domain=st.integers(0, 1))
def test_the_same_classes_made_again_give_the_same_history_to_the_byte(seed: int, domain: int) -> None:
    module, remade = REMADE[domain]
    lab = Lab(module, ids=seeded_ids(7), clock=ticking_clock(), checked=False)
    commands = [bank.random_commands(12, seed=seed, accounts=3), list(fulfilment.story())[:6]][domain]
    wander(lab, list(commands), Random(seed))
    lab.goto(-1)
    before, states, name = dump(lab), repr(dict(lab.aggregates)), lab.trace.branch.name
    with remade as now:
        replay = lab.reload(now)
    assert (replay.unplayed, replay.states, replay.error) == ((), (), None)
    assert {row.outcome for row in replay} <= {"same"}
    assert dump(lab) == before
    assert repr(dict(lab.aggregates)) == states
    assert all(type(each.command) is getattr(now, type(each.command).__name__) for each in lab.submitted)
    lab.switch(name)
    assert dump(lab) == before


def test_a_lab_with_a_branch_of_earlier_classes_is_saved_and_compared(
    notebook: Notebook, paid: Lab, tmp_path: Path
) -> None:
    notebook.run()
    paid.reload()
    assert str(paid.compare("main")) == "'main' and 'branch 1' never part; nothing differs"
    notebook.run(("    tags: tuple[Currency, ...] = ()", "    note: str"))
    assert len(paid.reload().unplayed) == 2
    path = paid.save(tmp_path / "run.jsonl")
    notebook.run()
    loaded = Lab.load(path, notebook.module, checked=False)  # what was left out is pending
    assert list(loaded.branches) == ["main", "branch 1", "branch 2"]
    assert [len(loaded.branches[name].index.events) for name in loaded.branches] == [4, 4, 0]
    loaded.resume()
    assert [each.event.money.amount for each in loaded.events if each.event_type == "Paid"] == [50, 80]
