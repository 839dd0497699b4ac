"""Read models in a lab: folded from the events of the run, at the cursor, and never part of the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Self

import pytest

import calamity_lab
from calamity_lab import InMemoryEventStore, Lab, Rejected, Stack, command
from calamity_lab.errors import ImpureModel, InvalidModel
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.model import Model
from calamity_lab.probe.near_misses import near_misses
from calamity_lab.stores.serializer import UnknownEvent
from calamity_lab.trace.projections import BrokenProjection


@dataclass(frozen=True)
class TicketSold:
    show: str
    buyer: str


@command(to="Show", by="show")
@dataclass(frozen=True)
class SellTicket:
    show: str
    buyer: str


@dataclass(frozen=True)
class Seats:
    """A value object that folds events itself, inside the aggregate."""

    free: int = 2

    @classmethod
    def new(cls) -> Self:
        return cls()

    def apply(self, event: TicketSold) -> Self:
        return replace(self, free=self.free - 1)


@dataclass(frozen=True)
class Show:
    show: str
    seats: Seats = Seats()

    @classmethod
    def new(cls, show: str) -> Self:
        return cls(show)

    def execute(self, command: SellTicket) -> TicketSold:
        if not self.seats.free:
            raise Rejected("sold out")
        return TicketSold(self.show, command.buyer)

    def apply(self, event: TicketSold) -> Self:
        return replace(self, seats=self.seats.apply(event))


@dataclass(frozen=True)
class Audience:
    """One for the whole theatre."""

    buyers: tuple[str, ...] = ()

    @classmethod
    def new(cls) -> Self:
        return cls()

    def apply(self, event: TicketSold) -> Self:
        return self if event.buyer in self.buyers else replace(self, buyers=(*self.buyers, event.buyer))


@dataclass(frozen=True)
class Sales:
    """One for each show, with the last record that it was given."""

    show: str
    sold: int = 0
    last: str = ""

    @classmethod
    def key(cls, event: TicketSold) -> str | None:
        return None if event.buyer == "staff" else event.show

    @classmethod
    def new(cls, show: str) -> Self:
        return cls(show)

    def apply(self, event: TicketSold, recorded: RecordedEvent) -> Self:
        return replace(self, sold=self.sold + 1, last=f"#{recorded.position}")


THEATRE: dict[str, Any] = {
    "aggregates": [Show],
    "commands": [SellTicket],
    "events": [TicketSold],
    "projections": [Audience, Sales],
}
SALES = [SellTicket("Hamlet", "Ada"), SellTicket("Hamlet", "Bob"), SellTicket("Lear", "Ada")]


def theatre(*commands: Any, **given: Any) -> Lab:
    lab = Lab(**{**THEATRE, **given})
    lab.send(*commands or SALES)
    lab.resume()
    return lab


def test_projections_are_folded_from_all_events_and_have_their_states_at_every_moment() -> None:
    lab = theatre()
    assert dict(lab.projections) == {
        "Audience": Audience(("Ada", "Bob")),
        "Sales-Hamlet": Sales("Hamlet", 2, "#2"),
        "Sales-Lear": Sales("Lear", 1, "#3"),
    }
    lab.goto(next(moment.index for moment in lab.trace if len(moment.stack.event_store) == 1))
    assert dict(lab.projections) == {"Audience": Audience(("Ada",)), "Sales-Hamlet": Sales("Hamlet", 1, "#1")}
    lab.restart()
    assert dict(lab.projections) == {"Audience": Audience()}, "one without keys is there from the beginning"


def test_a_key_of_none_is_for_no_instance() -> None:
    assert list(theatre(SellTicket("Lear", "staff")).projections) == ["Audience"]


def test_projections_show_themselves_and_leave_as_a_table_of_what_changed_them() -> None:
    lab = theatre()
    assert "Sales-Hamlet  show='Hamlet', sold=2" in repr(lab.projections)
    assert ">Sales-Lear</td>" in lab.projections._repr_html_()
    table = lab.projections.to_pandas()
    assert table["stream_id"].tolist() == [
        "Audience",
        "Sales-Hamlet",
        "Audience",
        "Sales-Hamlet",
        "Sales-Lear",
    ]
    assert table["position"].tolist() == [1, 1, 2, 2, 3], "the third event adds nobody to the audience"
    assert table["version"].tolist() == [1, 1, 2, 2, 1]
    assert table["sold"].dropna().tolist() == [1, 2, 1]
    rows = list(lab.projections.rows())
    assert rows[1]["state"] == {"show": "Hamlet", "sold": 1, "last": "#1"}


def test_each_branch_has_the_projections_of_its_own_events() -> None:
    lab = theatre(*SALES[:1])
    lab.restart()
    lab.send(SellTicket("Lear", "Cleo"))
    lab.resume()
    assert lab.projections["Audience"] == Audience(("Ada", "Cleo"))
    lab.switch("main")
    assert lab.projections["Audience"] == Audience(("Ada",))
    assert list(lab.projections) == ["Audience", "Sales-Hamlet"]


def test_a_lab_without_projections_has_none() -> None:
    lab = theatre(projections=[])
    assert dict(lab.projections) == {}
    assert repr(lab.projections) == "0 projections"
    assert len(lab.projections.to_pandas()) == 0


# A callback that fails


@dataclass(frozen=True)
class Fragile:
    sold: int = 0

    @classmethod
    def new(cls) -> Self:
        return cls()

    def apply(self, event: TicketSold) -> Self:
        if event.buyer == "Bob":
            raise KeyError(event.buyer)
        return replace(self, sold=self.sold + 1)


def test_a_projection_that_raises_is_broken_from_that_event_on_and_stops_nothing_else() -> None:
    lab = theatre(projections=[Fragile, Audience])
    broken = lab.projections["Fragile"]
    assert isinstance(broken, BrokenProjection)
    assert (broken.since, broken.state) == ("TicketSold #2", Fragile(1))
    assert broken.problem.startswith(
        "Fragile.apply raised KeyError: 'Bob' in file tests/lab/test_projections.py, line "
    )
    assert lab.projections["Audience"] == Audience(("Ada", "Bob"))
    assert len(lab.events) == 3
    assert "Fragile  Broken since TicketSold #2: Fragile.apply raised KeyError: 'Bob'" in repr(
        lab.projections
    )
    lab.goto(lab.trace.index.event_moments[1] - 1)
    assert lab.projections["Fragile"] == Fragile(1)


def test_the_table_has_what_broke_a_projection_and_no_state_from_then_on() -> None:
    table = theatre(projections=[Fragile]).projections.to_pandas()
    assert table["sold"].isna().tolist() == [False, True]
    assert table["problem"].isna().tolist() == [True, False]
    assert table["problem"][1].startswith("Fragile.apply raised KeyError")


def broken_by(**methods: Any) -> BrokenProjection:
    """What becomes of a projection with these methods after one event."""
    fine: dict[str, Any] = {"new": classmethod(lambda cls: cls()), "apply": lambda self, event: self}
    cls = type("Odd", (), {**fine, **methods})
    broken = theatre(SALES[0], projections=[cls]).projections
    return next(each for each in broken.values() if isinstance(each, BrokenProjection))


def raising(*given: Any) -> Any:
    raise ZeroDivisionError("by nothing")


@pytest.mark.parametrize(
    ("methods", "since", "problem"),
    [
        ({"apply": lambda self, event: None}, "TicketSold #1", "Odd.apply returned None"),
        ({"apply": raising}, "TicketSold #1", "Odd.apply raised ZeroDivisionError: by nothing"),
        ({"new": classmethod(raising)}, "the beginning", "Odd.new raised ZeroDivisionError: by nothing"),
        ({"new": classmethod(lambda cls: None)}, "the beginning", "Odd.new returned None; return a Odd"),
        ({"key": classmethod(raising)}, "TicketSold #1", "Odd.key raised ZeroDivisionError: by nothing"),
        ({"key": lambda self, event: "1"}, "TicketSold #1", "it must be a @classmethod"),
        (
            {"key": classmethod(lambda cls, event: "1"), "new": classmethod(raising)},
            "TicketSold #1",
            "Odd.new raised ZeroDivisionError: by nothing",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:Odd.key needs @classmethod")
def test_a_broken_callback_of_a_projection_is_named(methods: Any, since: str, problem: str) -> None:
    broken = broken_by(**methods)
    assert broken.since == since
    assert problem in broken.problem


def test_where_the_key_cannot_be_had_no_instance_goes_on() -> None:
    def key(cls: type, event: TicketSold) -> str:
        return {"Ada": "the key"}[event.buyer]

    cls = type(
        "Keyed",
        (),
        {"key": classmethod(key), "new": classmethod(lambda cls: cls()), "apply": lambda self, event: self},
    )
    lab = theatre(projections=[cls])
    assert lab.projections["Keyed"].since == "TicketSold #2"
    assert len(lab.projections.to_pandas()) == 2, "the third event is given to none of them"


def test_a_projection_that_changes_itself_is_told_so_and_its_earlier_states_stay() -> None:
    class Counting:
        def __init__(self) -> None:
            self.sold = Counter[str]()

        @classmethod
        def new(cls) -> Self:
            return cls()

        def apply(self, event: TicketSold) -> Self:
            self.sold[event.show] += 1
            return self

    broken = theatre(projections=[Counting]).projections["Counting"]
    assert isinstance(broken.error, ImpureModel)
    assert "changed self.sold" in broken.problem


# What is a projection


def test_a_projection_is_found_by_its_shape_and_a_value_object_is_none() -> None:
    model = Model.find(SimpleNamespace(**globals()).__dict__)
    assert Audience in model.projections
    assert Sales in model.projections
    assert Seats not in (*model.projections, *model.unplaced), "the aggregate is made of it"
    assert TicketSold in model.events


def test_a_base_or_a_protocol_is_no_projection() -> None:
    class Totals:
        @classmethod
        def new(cls) -> Self:
            return cls()

        def apply(self, event: Any) -> Self:
            return self

    class OfShows(Totals):
        sold = 0

    assert Model.of([Show, Totals, OfShows]).projections == (OfShows,)
    assert Model.of([Show, calamity_lab.Projection]).projections == ()


def test_an_aggregate_that_lacks_execute_is_no_projection() -> None:
    class Account:
        @classmethod
        def new(cls, account_id: str) -> Self:
            return cls()

        def apply(self, event: Any) -> Self:
            return self

    assert Model.of([Show, Account]).projections == ()


def test_projections_may_be_added_to_a_module_or_to_a_model() -> None:
    from calamity_lab.examples import bank
    from calamity_lab.examples.bank.read_models import BankTotals

    assert Lab(bank, projections=[BankTotals]).model.projections == (BankTotals,)
    assert Lab(Model.find(bank), projections=[BankTotals]).model.projections == (BankTotals,)
    assert Lab(bank).model.projections == (), "the read models of the bank are not part of its module"


def test_what_a_projection_still_needs_is_told() -> None:
    class Keyed:
        @classmethod
        def key(cls, event: Any) -> str:
            return "1"

        def apply(self, event: Any) -> Self:
            return self

    told = "Keyed has no new, which a projection needs: add `@classmethod def new(cls)`"
    assert near_misses(Model.of([Show, Keyed])) == (told,)
    with pytest.raises(InvalidModel, match=r"^Keyed needs a classmethod.*and is in projections=\[\.\.\.\]"):
        Lab(aggregates=[Show], projections=[Keyed])
    with pytest.raises(InvalidModel, match="Show must not have execute to be a projection"):
        Lab(aggregates=[Show], projections=[Show])
    with pytest.raises(InvalidModel, match=r"TicketSold needs a classmethod new\(\) and an apply\(event\)"):
        Lab(aggregates=[Show], projections=[TicketSold])


def test_the_model_names_its_projections() -> None:
    assert str(Model.of([Show, Audience])).endswith("\nprojections: Audience")
    assert "projection" not in str(Model.of([Show]))


# A history from elsewhere


def test_a_projection_with_the_name_of_recorded_streams_is_refused() -> None:
    store = InMemoryEventStore().append("Audience-1", [TicketSold("Lear", "Ada")])
    with pytest.raises(InvalidModel, match="The projection Audience has the name of streams in the history"):
        theatre(stack=Stack(event_store=store))


def test_an_attached_lab_folds_the_history_and_leaves_out_events_without_a_class(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'theatre.db'}"
    from calamity_lab.stores import SQLEventStore

    @dataclass(frozen=True)
    class Renamed:
        show: str

    with SQLEventStore(url, [Show, TicketSold, Renamed]) as store:
        store.append("Show-Hamlet", [TicketSold("Hamlet", "Ada")])
        store.append("Show-Lear", [Renamed("Lear"), TicketSold("Lear", "Bob")])
    with pytest.warns(UserWarning, match=r"no class for Renamed .*, and projections do not get them"):
        lab = Lab.attach(url, **THEATRE)
    assert isinstance(lab.events[1].event, UnknownEvent)
    assert lab.projections["Audience"] == Audience(("Ada", "Bob"))
    assert lab.projections["Sales-Lear"] == Sales("Lear", 1, "#3")
    lab.send(SellTicket("Hamlet", "Cleo"))
    lab.resume()
    assert lab.projections["Sales-Hamlet"].sold == 2
    lab.restart()
    assert lab.projections["Sales-Hamlet"].sold == 1
