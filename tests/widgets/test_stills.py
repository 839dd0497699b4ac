"""A widget's still picture says the same as the widget, without a script and without a network."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from calamity_lab.examples import bank, fulfilment
from calamity_lab.kernel.messages import command
from calamity_lab.kernel.run import dispatch
from calamity_lab.lab import Lab
from calamity_lab.views.looks import COLOURS
from calamity_lab.widgets.view_widget import FACES, ViewWidget
from tests import holds
from tests.moments import after
from tests.widgets.front_end_stand_in import FrontEnd


@command(to="Note", by="id")
@dataclass(frozen=True)
class WriteNote:
    id: str
    text: str


@dataclass(frozen=True)
class NoteWritten:
    id: str
    text: str


@dataclass(frozen=True)
class Note:
    id: str
    text: str = ""

    @classmethod
    def new(cls, aggregate_id: str) -> Note:
        return cls(aggregate_id)

    def execute(self, command: WriteNote) -> NoteWritten:
        return NoteWritten(command.id, command.text)

    def apply(self, event: NoteWritten) -> Note:
        return Note(self.id, event.text)


class Tags(HTMLParser):
    """Which elements there are, with which attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def drawings(markup: str) -> list[str]:
    """The SVG texts of the images in a still."""
    return [base64.b64decode(each).decode() for each in re.findall(r"svg\+xml;base64,([^\"]+)", markup)]


@pytest.mark.parametrize("face", FACES)
def test_a_still_asks_nobody_for_anything(face: str) -> None:
    lab = Lab(fulfilment)
    lab.send(*fulfilment.story())
    lab.resume()
    still = ViewWidget(lab, face).still()
    sources = [value for name, value in Tags(still).attributes if name in {"src", "href"}]
    assert all(value and value.startswith("data:image/svg+xml;base64,") for value in sources)
    assert "http" not in still.replace("http://www.w3.org/2000/svg", "")
    assert "url(" not in "".join([still, *drawings(still)])


@pytest.mark.parametrize("face", FACES)
def test_a_still_of_the_same_moment_is_the_same_to_the_byte(face: str) -> None:
    def drawn() -> str:
        lab = Lab(bank)
        lab.send(*bank.story())
        lab.resume()
        lab.goto(after(lab, "DepositFunds", 2))
        widget = ViewWidget(lab, face)
        return widget.still().replace(f'"{widget.token}"', '"token"')

    assert drawn() == drawn()


def test_the_still_of_the_lab_tells_state_timeline_agenda_and_fact() -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    for _ in range(6):
        lab.step()
    still = ViewWidget(lab).still()
    text = Tags(still).text
    for shown in (
        "BankAccount-alice",
        "10000",
        "→",
        "4000",
        f"Picture of step {lab.cursor} of {lab.trace.last}. Run the notebook to use the lab.",
        "RequestTransfer",
        "FundsWithdrawn",
    ):
        assert shown in text
    assert 'alt="Timeline: 6 events in 4 lanes, 6 of them up to this moment"' in still
    assert "Transfer-rent" in drawings(still)[0]


def test_the_still_of_the_controls_tells_where_the_cursor_is_among_commands_and_rejections() -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    lab.goto(after(lab, "DepositFunds", 2))
    text = Tags(ViewWidget(lab, "controls").still()).text
    assert f"Picture of step {lab.cursor} of {lab.trace.last}" in text
    assert f"Step {lab.cursor}:" in text
    index = lab.trace.index
    assert f"of {len(index.dispatched)}, {len(index.rejections)} rejections in the whole run" in text
    assert "Branch main" in text


def test_the_still_of_the_form_lists_what_is_pending_and_what_can_be_sent() -> None:
    lab = Lab(bank)
    lab.send(bank.DepositFunds("alice", 5))
    text = Tags(ViewWidget(lab, "agenda").still()).text
    assert "account_id='alice', amount=5" in text
    assert "WithdrawFunds" in text
    assert "account_id, amount, transfer_id" in text
    assert "No command is known" in Tags(ViewWidget(Lab(aggregates=[Note]), "agenda").still()).text


def test_the_future_is_greyed_in_a_still() -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    everything = ViewWidget(lab, "log").still().count(COLOURS["later"].light)
    lab.goto(after(lab, "RequestTransfer"))
    assert ViewWidget(lab, "log").still().count(COLOURS["later"].light) > everything


@pytest.mark.parametrize("face", FACES)
def test_a_still_of_an_empty_lab_is_not_blank(face: str) -> None:
    assert "Nothing has happened yet" in Tags(ViewWidget(Lab(bank), face).still()).text


def test_a_display_gives_the_live_widget_and_then_its_still(ipython: InteractiveShell) -> None:
    widget = ViewWidget(Lab(bank), "state")
    with capture_output() as captured:
        ipython.display_formatter.format(widget)
    live, still = (output.data for output in captured.outputs)
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert "text/html" not in live
    assert still["text/html"] == widget.still()
    assert f'data-calamity-still="{widget.token}"' in still["text/html"]


def test_the_picture_follows_when_the_page_rests_and_no_step_draws_one(
    ipython: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    widget = ViewWidget(lab)
    with capture_output() as captured:
        ipython.display_formatter.format(widget)
    page = FrontEnd(widget)
    shown: list[tuple[str, dict[str, Any]]] = []

    def display(data: dict[str, str], **how: Any) -> None:
        shown.append((data["text/html"], how))

    monkeypatch.setattr("IPython.display.display", display)
    widget.hear({"verb": "rests"})
    assert shown == [], "it is the picture of this moment"
    for _ in range(3):
        page.ask("step_over")
    lab.step()
    assert shown == []
    for _ in range(2):
        widget.hear({"verb": "rests"})
    ((html, how),) = shown
    assert how["update"]
    assert how["display_id"] == captured.outputs[-1].transient["display_id"]
    assert html == widget.still()
    assert f"Picture of step {lab.cursor} of {lab.trace.last}. Run the notebook" in html
    lab.step_back()
    widget.hear({"verb": "rests"})
    assert f"Picture of step {lab.cursor} of" in shown[-1][0]


def test_of_two_outputs_each_keeps_its_picture_and_the_later_one_follows(
    ipython: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    shown: dict[str, str] = {}

    def display(data: dict[str, str], *, display_id: str | None = None, **how: Any) -> None:
        if display_id is not None:
            assert how["update"] == (display_id in shown)
            shown[display_id] = re.findall(r"Picture of step \d+", data["text/html"])[0]

    monkeypatch.setattr("IPython.display.display", display)
    lab._ipython_display_()
    lab.step()
    lab.view.hear({"verb": "rests"})
    seen = f"Picture of step {lab.cursor}"
    lab.step()
    lab._ipython_display_()
    assert list(shown.values()) == [seen, f"Picture of step {lab.cursor}"]
    lab.resume()
    lab.view.hear({"verb": "rests"})
    assert list(shown.values()) == [seen, f"Picture of step {lab.cursor}"]


def test_a_still_has_a_line_for_a_deadline_that_was_set_before_the_run_began() -> None:
    lab = Lab(holds, stack=dispatch(holds.theatre(), holds.HoldSeat("A1")))
    (svg,) = drawings(ViewWidget(lab, "timeline").still())
    assert 'stroke-dasharray="3 2"' not in svg, "the run stands where it began"
    lab.wait()
    lab.step()
    (svg,) = drawings(ViewWidget(lab, "timeline").still())
    lines = re.findall(r'<path d="M([\d.]+) [\d.]+H([\d.]+)"[^>]*stroke-dasharray="3 2"', svg)
    assert len(lines) == 2
    assert len({left for left, _ in lines}) == 1
    assert float(lines[0][1]) < float(lines[1][1]), "one came due, the other one goes on to the cursor"


def test_a_closed_widget_still_shows_its_picture(ipython: InteractiveShell) -> None:
    widget = ViewWidget(Lab(bank), "state")
    widget.close()
    with capture_output() as captured:
        ipython.display_formatter.format(widget)
    assert [list(output.data) for output in captured.outputs] == [["text/html"]]


@pytest.fixture
def ipython() -> Iterator[InteractiveShell]:
    had_one = InteractiveShell.initialized()
    yield InteractiveShell.instance()
    if not had_one:
        InteractiveShell.clear_instance()


def test_the_marks_of_a_still_have_names_where_there_is_room_the_future_ones_grey() -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    lab.goto(after(lab, "FundsWithdrawn"))
    (svg,) = drawings(ViewWidget(lab, "timeline").still())
    names = dict(
        re.findall(r'<text [^>]*fill="([^"]+)" font-size="11" text-anchor="(?:start|end)"[^>]*>([^<]+)', svg)
    )
    assert set(names) == {COLOURS["ink"].light, COLOURS["later"].light}
    assert "RequestTransfer rejected" in svg
    assert "AccountCreated" in svg
