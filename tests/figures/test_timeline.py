"""The timeline as axes: all marks, no text over another, and nothing of matplotlib's own changed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from calamity_lab.errors import InvalidValue, OutOfRange
from calamity_lab.examples import bank
from calamity_lab.figures import plot_timeline
from calamity_lab.figures.style import hue, path_of, strong
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.stack import Stack
from calamity_lab.trace.trace import Trace
from calamity_lab.views.looks import IN_LANES, LOOKS
from tests.figures.drawing import ink, marks, overprinted, texts
from tests.frames.histories import bank_day, bank_traffic, shop_week, traced
from tests.moments import after
from tests.views.test_lanes import marked, with_a_night, with_gaps


@dataclass(frozen=True)
class Done:
    id: str


@dataclass(frozen=True)
class Box:
    id: str

    @classmethod
    def new(cls, id: str) -> Box:  # noqa: A002 - the contract's name
        return cls(id)

    def execute(self, command: Any) -> Done:
        return Done(self.id)

    def apply(self, event: Done) -> Box:
        return self


@command(to=Box, by="id")
@dataclass(frozen=True)
class Do:
    id: str


@pytest.mark.parametrize("trace", [bank_day(), shop_week(), bank_traffic(300)])
def test_every_mark_is_drawn_once(trace: Trace) -> None:
    assert marks(plot_timeline(trace, trace.last // 2)) == len(marked(trace).marks)


@pytest.mark.parametrize("by", ["position", "time"])
@pytest.mark.parametrize("trace", [with_gaps(), bank_day()], ids=["gaps", "bank"])
def test_all_marks_are_drawn_within_the_axes(trace: Trace, by: Any) -> None:
    ax = plot_timeline(trace, by=by)
    low, high = ax.get_xlim()
    places = [x for collection in ax.collections for x, _ in collection.get_offsets()]
    assert len(places) == len(marked(trace).marks)
    assert all(low < x < high for x in places)


def test_the_axis_tells_the_positions_that_the_events_have() -> None:
    trace = with_gaps()
    ax = plot_timeline(trace)
    labels = {tick.get_text() for tick in ax.get_xticklabels()} - {""}
    assert len(labels) > 2
    assert labels <= {str(event.position) for event in trace.index.events}


def test_along_the_time_no_text_stands_over_another_and_a_caret_shows_a_gap_that_is_folded() -> None:
    ax = plot_timeline(with_a_night(), by="time")
    assert not overprinted(ax)
    assert [line for line in ax.lines if line.get_marker() == "^" and len(line.get_xdata())]


def test_another_way_along_the_run_is_rejected() -> None:
    with pytest.raises(InvalidValue, match=r"plot_timeline\(by='date'\): give 'position' or 'time'"):
        plot_timeline(bank_day(), by="date")  # type: ignore[arg-type]


@pytest.mark.parametrize("trace", [bank_day(), shop_week(), bank_traffic(400)])
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_no_text_stands_over_another(trace: Trace, share: float) -> None:
    assert not overprinted(plot_timeline(trace, int(trace.last * share)))


@pytest.mark.parametrize("size", [(3, 2), (5, 9), (16, 3)])
def test_no_text_stands_over_another_on_axes_of_any_size(size: tuple[float, float]) -> None:
    ax = Figure(figsize=size, layout="constrained").subplots()
    assert not overprinted(plot_timeline(shop_week(), 100, ax=ax))


def test_the_past_is_in_the_colour_of_its_kind_and_the_future_grey() -> None:
    trace = bank_day()
    colours = {strong(kind) for kind in IN_LANES}

    def drawn(cursor: int) -> list[bool]:
        faces = [ink(collection) for collection in plot_timeline(trace, cursor).collections]
        assert all(
            same_color(face, hue("later")) or any(same_color(face, c) for c in colours) for face in faces
        )
        return [bool(same_color(face, hue("later"))) for face in faces]

    assert all(drawn(0))
    assert not any(drawn(trace.last))
    assert {True, False} == set(drawn(30))


def test_each_kind_has_a_shape_and_a_colour_that_tell_it_from_the_others() -> None:
    assert len({look.shape for look in LOOKS.values()}) == len(LOOKS)
    ax = plot_timeline(bank_day())
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "command",
        "event",
        "process manager started",
        "continued",
        "stopped",
        "command rejected",
    ]


def test_what_is_ignored_is_a_ring_in_the_colour_of_process_managers() -> None:
    ignored = sum(mark.kind == "ignored" for mark in marked(shop_week()).marks)
    rings = [
        each
        for each in plot_timeline(shop_week()).collections
        if not len(each.get_facecolors()) and same_color(ink(each), strong("ignored"))
    ]
    assert sum(len(ring.get_offsets()) for ring in rings) == ignored > 0
    assert strong("ignored") == strong("process manager")


@pytest.mark.parametrize("kind", IN_LANES)
def test_a_shape_is_as_large_in_matplotlib_as_in_the_widget(kind: str) -> None:
    found = path_of(LOOKS[kind].shape).get_extents()
    assert (found.x0, found.y0, found.x1, found.y1) == pytest.approx(EXTENTS[kind], abs=0.02)


EXTENTS = {
    "command": (-6, -4.5, 6, 4.5),
    "event": (-5, -5, 5, 5),
    "rejected": (-4.2, -4.2, 4.2, 4.2),
    "started": (-3.8, -5.2, 5.6, 5.2),
    "continued": (-5.2, -5.2, 5.2, 5.2),
    "stopped": (-4.6, -4.6, 4.6, 4.6),
    "ignored": (-4.8, -4.8, 4.8, 4.8),
    "answered": (-5.2, -3.9, 5.2, 3.9),
    "projection": (-6.6, -4.2, 6.6, 4.2),
    "injected": (-4, -6, 3.6, 6),
    "time passed": (-4, -5.2, 4, 5.2),
}


def test_the_lanes_are_named_and_the_moment_is_said() -> None:
    deposit = after(bank_day(), "DepositFunds", 2)
    shown = texts(plot_timeline(bank_day(), deposit))
    assert {"BankAccount-alice", "Transfer-rent", f"moment {deposit}", "position"} <= set(shown)


def test_a_lane_of_many_tells_how_many() -> None:
    shown = texts(plot_timeline(bank_traffic(400)))
    assert any(text.startswith("Transfer (") for text in shown)


def test_a_rejection_is_named_before_anything_else() -> None:
    assert "RequestTransfer rejected" in texts(plot_timeline(bank_day()))


@pytest.mark.parametrize("trace", [bank_day(), shop_week(), traced([bank.DepositFunds("a", 1)])])
@pytest.mark.parametrize("wide", [4, 10, 24, 160])
def test_accepted_commands_are_named_all_or_not_at_all(trace: Trace, wide: float) -> None:
    commands = [mark.label for mark in marked(trace).marks if mark.kind == "command"]
    rejected = [mark.label for mark in marked(trace).marks if mark.kind == "rejected"]
    ax = plot_timeline(trace, ax=Figure(figsize=(wide, 9), layout="constrained").subplots())
    shown = texts(ax)
    named = [shown.count(name) - rejected.count(name) for name in dict.fromkeys(commands)]
    assert named in ([0] * len(named), [commands.count(name) for name in dict.fromkeys(commands)])
    assert wide != 160 or sum(named) == len(commands)


def test_a_trace_in_which_nothing_happened_says_so() -> None:
    assert "nothing has happened yet" in texts(plot_timeline(Trace.of(Stack())))


@pytest.mark.parametrize(
    "name", ["$x^2$", "$broken", "a_b\\frac", "<b>", "two\nlines", "😀", "日本", "\x00", "a" * 500]
)
def test_any_text_of_a_model_is_drawn_as_text(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = plot_timeline(traced([Do(name)]))
        ax.figure.canvas.draw()
    (label,) = ax.get_yticklabels()
    assert "\n" not in label.get_text()
    assert len(label.get_text()) <= 32
    assert not label.get_parse_math()


def test_the_axes_given_are_the_axes_returned_and_pyplot_is_left_alone() -> None:
    ax = Figure().subplots()
    assert plot_timeline(bank_day(), 10, ax=ax) is ax
    assert plt.get_fignums() == []


def test_without_axes_there_is_one_new_figure_that_a_notebook_shows() -> None:
    settings = dict(mpl.rcParams)
    ax = plot_timeline(bank_day(), 10)
    assert plt.get_fignums() == [ax.figure.number]
    assert dict(mpl.rcParams) == settings


def test_a_dark_style_gives_light_letters() -> None:
    with plt.style.context("dark_background"):
        ax = plot_timeline(bank_day(), 30)
        assert same_color(ax.figure.get_facecolor(), "black")
        assert all(same_color(label.get_color(), "white") for label in ax.get_yticklabels())


@pytest.mark.parametrize("ax", ["axes", 3, [1, 2]])
def test_what_are_no_axes_is_rejected(ax: Any) -> None:
    with pytest.raises(InvalidValue, match=r"plot_timeline\(ax=.*must be one matplotlib Axes"):
        plot_timeline(bank_day(), ax=ax)


def test_several_axes_at_once_are_rejected() -> None:
    with pytest.raises(InvalidValue, match=r"of several axes give one, as in axes\[0\]"):
        plot_timeline(bank_day(), ax=Figure().subplots(2))  # type: ignore[arg-type]


def test_what_is_no_trace_is_rejected() -> None:
    with pytest.raises(InvalidValue, match="give a trace and a cursor"):
        plot_timeline(bank.story())  # type: ignore[arg-type]


def test_a_moment_that_is_not_there_is_out_of_range() -> None:
    with pytest.raises(OutOfRange, match="there is no moment 1000"):
        plot_timeline(bank_day(), 1000)
