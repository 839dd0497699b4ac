"""One file holds the whole run: what is in it is what the views say, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from calamity_lab.errors import InvalidValue, ModelError, UnknownArgument
from calamity_lab.examples import bank, fulfilment
from calamity_lab.examples.bank.read_models import BankTotals, Turnover
from calamity_lab.kernel.clocks_and_ids import ticking_clock
from calamity_lab.lab import Lab
from calamity_lab.views.agenda import agenda
from calamity_lab.views.chart import Charts
from calamity_lab.views.controls import controls
from calamity_lab.views.details import details
from calamity_lab.views.log import log_rows
from calamity_lab.views.process_graph import process_graph
from calamity_lab.views.sequence import sequence
from calamity_lab.views.state import state
from calamity_lab.widgets.actions import selection_from
from calamity_lab.widgets.page import page, recording
from calamity_lab.widgets.patches import chart_patch, plain
from tests.moments import after
from tests.pages.carried import carried, lab_of, recorded, shown
from tests.widgets.charted import nothing, taken


class Elements(HTMLParser):
    """The elements of a page by name, with their attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_what_a_page_carries_of_every_moment_is_what_the_views_say(model: ModuleType) -> None:
    lab, run = recorded(model)
    trace = lab.trace
    assert run["moments"] == list(range(len(trace)))
    # Every third moment, from the last one: what went wrong in between would show there too.
    for moment, parts in list(enumerate(shown(run)))[::-3]:
        pending = agenda(trace, moment, limit=recording.PENDING, offers=False)
        expected = {
            "controls": plain(replace(controls(trace, moment), at_end=moment == trace.last)),
            "agenda": plain(pending),
            "state": plain(state(trace, moment, limit=10**6)),
            "process_graph": plain(process_graph(trace, moment, lab.model)),
            "sequence": plain(sequence(trace, moment, limit=100)),
        }
        assert {part: parts[part] for part in expected} == expected, moment


def test_a_page_has_a_graph_for_each_process_manager() -> None:
    lab, run = recorded(fulfilment)
    *_, last = shown(run)
    second = lab.model.process_managers[1].__name__
    expected = process_graph(lab.trace, lab.trace.last, lab.model, manager=second)
    assert last[f"process_graph {second}"] == plain(expected)


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_a_page_carries_every_event_and_every_mark_once(model: ModuleType) -> None:
    lab, run = recorded(model)
    chart = taken(nothing(), chart_patch(Charts().of(lab.trace), None))
    assert run["log"] == plain(log_rows(lab.trace, lab.trace.last, first=0, limit=10**6).rows)
    assert {name: run["chart"][name] for name in chart} == chart


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_the_moves_of_a_page_lead_where_those_of_the_lab_lead(model: ModuleType) -> None:
    lab, run = recorded(model)

    def reached(start: int, move: Any) -> int:
        lab.goto(start)
        move()
        return lab.cursor

    for start in range(lab.trace.last):
        assert run["over"][start] == reached(start, lab.step)
        assert run["out"][start] == reached(start, lab.step_out)
        assert not start or run["back_over"][start] == reached(start, lab.stepper.step_back_over)


def test_moves_that_were_never_done_to_their_end_lead_to_the_last_moment() -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume(limit=3)
    run = carried(page(lab))
    assert (run["over"], run["out"]) == ([3, 3, 3, 3], [3, 3, 3, 3])
    *_, last = shown(run)
    assert last["controls"]["at_end"] is True


def test_a_run_that_a_callback_broke_ends_with_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: 42)
    with pytest.raises(ModelError):
        lab.step()
    *_, before, last = shown(carried(page(lab)))
    assert "BankAccount.execute returned 42" in last["controls"]["sentence"]
    assert (before["controls"]["tone"], last["controls"]["tone"]) == ("plain", "error")


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = (lab_of(bank).to_html(tmp_path / name).read_bytes() for name in ("1.html", "2.html"))
    assert one == other
    assert str(tmp_path).encode() not in one


def test_writing_a_page_leaves_the_cursor_and_tells_no_widget() -> None:
    lab = lab_of(bank)
    lab.goto(there := after(lab, "FundsDeposited"))
    lab.stepper.observe(lambda: pytest.fail("nothing has changed"))
    assert carried(page(lab))["start"] == lab.cursor == there


def test_a_page_asks_nobody_for_anything_and_runs_no_script_but_its_own() -> None:
    text = page(lab_of(bank))
    elements = Elements(text).found
    sources = [attributes.get("src") or attributes.get("href") or "data:" for _, attributes in elements]
    assert all(source.startswith("data:") for source in sources)
    policy = next(each["content"] for _, each in elements if each.get("http-equiv"))
    assert policy
    assert re.match(r"default-src 'none'; script-src 'sha256-[\w+/]+=*'; style-src 'unsafe-inline'; ", policy)


def test_of_a_longer_run_a_page_keeps_moments_at_which_a_command_is_done_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "MOST_MOMENTS", 40)
    monkeypatch.setattr(recording, "THINNED", 12)
    lab = lab_of(bank)
    text = page(lab)
    moments = carried(text)["moments"]
    assert 8 <= len(moments) <= 12
    assert (moments[0], moments[-1]) == (0, lab.trace.last)
    assert {lab.trace[moment].step.kind for moment in moments[1:]} == {"Completed"}
    assert f"the page keeps {len(moments)} moments, each at the end of a command" in text


def test_a_page_of_one_branch_tells_that_there_are_others() -> None:
    lab = lab_of(bank)
    lab.goto(after(lab, "Executed"))
    lab.send(bank.DepositFunds("alice", 5))
    text = page(lab)
    assert "branch “branch 1”, one of 2" in text
    assert all("branches" not in parts for parts in shown(carried(text)))


def test_a_lab_in_which_nothing_has_happened_has_a_page() -> None:
    run = carried(page(Lab(bank)))
    assert (run["moments"], run["log"], run["chart"]["lanes"]) == ([0], [], [])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ([""], {}, InvalidValue, "give the path of a file"),
        ([7], {}, InvalidValue, "give the path of a file"),
        (["."], {}, InvalidValue, "that is a folder; name a file in it"),
        (["nowhere/run.html"], {}, InvalidValue, "name a file in a folder that exists"),
        (["run.html"], {"title": 7}, InvalidValue, "give a text, as in title="),
        (["run.html"], {"titel": "x"}, UnknownArgument, "title"),
    ],
)
def test_what_cannot_be_written_is_rejected_and_it_says_what_would_work(
    arguments: list[Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        Lab(bank).to_html(*arguments, **options)
    assert not list(tmp_path.iterdir())


def test_a_page_is_written_where_it_was_asked_for_and_its_path_is_given(tmp_path: Path) -> None:
    path = Lab(bank).to_html(str(tmp_path / "run.html"))
    assert path == tmp_path / "run.html"
    assert path.read_text("utf-8").startswith("<!doctype html>")


def test_a_page_carries_the_projections_their_marks_and_what_each_mark_selects() -> None:
    lab = Lab(bank, projections=[BankTotals, Turnover], clock=ticking_clock())
    lab.send(*bank.story())
    lab.resume()
    has = carried(page(lab))
    assert taken(nothing(), has["chart"])["lanes"][0] == plain(Charts().of(lab.trace).columns.lanes[0])
    marks = has["selected"]["marks"]
    changes = lab.trace.index.projections.changes
    assert [f"change {n}" in marks for n in range(1, len(changes) + 2)] == [*[True] * len(changes), False]
    chosen = has["rows"][marks["change 2"]]
    assert (chosen["kind"], chosen["streams"]) == ("change", [changes[1].identity.stream_id])
    moment = after(lab, "FundsDeposited")
    at_moment = list(shown(has))[moment]
    assert at_moment["state"]["rows"] == plain(state(lab.trace, moment, limit=99).rows)


@pytest.mark.parametrize("model", [bank, fulfilment])
def test_the_page_carries_every_message_whole(model: ModuleType) -> None:
    lab, run = recorded(model)
    for mark, number in run["details"].items():
        found = details(lab.trace, selection_from(lab.trace, {"mark": mark}))
        assert run["rows"][number] == plain(found), mark
    pending = lab_of(model)
    pending.send(next(iter(model.story())))
    (command,) = pending.agenda.pending
    carries = carried(page(pending))
    chosen, whole = carries["selected"]["commands"][command.command_id]
    assert carries["rows"][chosen]["title"] == carries["rows"][whole]["title"]
    assert carries["rows"][whole]["title"] == f"{command.command_type} pending"
