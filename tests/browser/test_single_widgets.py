"""Each view in a cell of its own: all on one cursor, and text is text in every one of them."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab_page import LabPage
from tests.browser.lab_widget import BANK, LabWidget, state_in

VIEWS = ("controls", "form", "state", "timeline", "process_graph", "table")
NASTY = """
from dataclasses import dataclass
from calamity_lab import Lab, Rejected, Start, command

NASTY = "<script>window.broken = 1</script><img src=x onerror='window.broken = 2'><b>bold</b>"

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
    def new(cls, id):
        return cls(id)
    def execute(self, command):
        if self.text:
            raise Rejected(NASTY, found=NASTY)
        return NoteWritten(command.id, command.text)
    def apply(self, event):
        return Note(self.id, event.text)

@dataclass(frozen=True)
class Reading:
    id: str
    stage: str = ""
    @classmethod
    def interested(cls, event):
        return Start(event.id) if isinstance(event, NoteWritten) else None
    @classmethod
    def new(cls, id):
        return cls(id)
    def apply(self, event):
        return Reading(self.id, NASTY)
    def handle(self, event):
        return None

lab = Lab(aggregates=[Note], commands=[WriteNote], events=[NoteWritten], process_managers=[Reading])
lab.send(WriteNote(NASTY, NASTY), WriteNote(NASTY, NASTY), WriteNote("b", NASTY))
lab.step()
lab.step()
"""


def test_all_views_follow_one_cursor(lab_page: LabPage) -> None:
    lab_page.resize(1200, 3200)
    lab_page.open([BANK, *[f"lab.{view}" for view in VIEWS]])
    lab_page.run_all()
    composite, controls = LabWidget(lab_page), LabWidget(lab_page, 1)
    controls.press("Step over")
    controls.press("Step over")
    composite.settle()
    for cell in range(len(VIEWS) + 1):
        expect(lab_page.output(cell).get_by_role("status")).to_have_text(composite.fact)
    assert state_in(lab_page.output(3)) == composite.state() != {}
    rows = lab_page.output(6).get_by_role("row")
    expect(rows).to_have_count(3)
    rows.nth(1).click()
    lab_page.page.wait_for_timeout(300)
    composite.settle()
    assert composite.moment == controls.moment == int(lab_page.python("lab.cursor"))
    assert "AccountCreated" in composite.fact


def test_two_displays_of_one_widget_show_the_same(lab_page: LabPage) -> None:
    lab_page.resize(1200, 2400)
    lab_page.open([BANK, "lab"])
    lab_page.run_all()
    first, second = LabWidget(lab_page), LabWidget(lab_page, 1)
    second.tab("Events")
    expect(first.root.get_by_role("tabpanel", name="Events")).to_be_visible()
    first.press("Step over")
    second.settle()
    assert first.fact == second.fact


def test_markup_in_any_message_shows_as_text_in_every_view(lab_page: LabPage) -> None:
    lab_page.resize(1200, 3600)
    lab_page.open([NASTY, "lab", *[f"lab.{view}" for view in VIEWS]])
    lab_page.run_all()
    for cell in range(1, len(VIEWS) + 2):
        output = lab_page.output(cell)
        output.locator(".cl-root").wait_for()
        expect(output.locator(".cl-root").get_by_role("status")).to_contain_text("<script>window.broken")
        assert (
            output.locator("script, img, b").count()
            == output.locator("[data-calamity-still] :is(img, b)").count()
        )
    for cell in (1, 4, 5):
        assert "<img src=x onerror=" in (lab_page.output(cell).locator(".cl-root").text_content() or "")
    composite = LabWidget(lab_page, 1)
    composite.tab("Process graph")
    expect(composite.root.locator(".cl-stage")).to_contain_text("<b>bold</b>")
    composite.tab("Events")
    expect(composite.root.get_by_role("table")).to_contain_text("<script>window.broken = 1</script>")
    assert lab_page.page.evaluate("window.broken") is None


def test_a_form_shows_markup_in_its_errors_as_text(lab_page: LabPage) -> None:
    lab_page.open([BANK])
    lab_page.run_all()
    widget = LabWidget(lab_page)
    form = widget.root.get_by_role("group", name="Command")
    form.get_by_role("combobox", name="Command type").select_option("DepositFunds")
    form.get_by_label("amount").fill("<img src=x onerror=1>")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_text("<img src=x onerror=1>")).to_be_visible()
    assert widget.root.locator("img").count() == 0
