"""Whoever sees little, or uses no mouse, or wants no motion, has all of the lab: every view, both themes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.accessibility import ALL, CONTRAST, QUICK, ask, axe, faint
from tests.browser.browser import Browser
from tests.browser.gallery import Gallery
from tests.browser.kernel_fork import KernelFork
from tests.browser.lab_page import Theme
from tests.browser.notebook_run import NotebookRun
from tests.browser.plain_page import PlainPage


@pytest.fixture(scope="module")
def gallery(
    browser: Browser, kernel_fork: KernelFork, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gallery]:
    """One page for all of these tests; none changes what another one needs."""
    with NotebookRun(kernel_fork, tmp_path_factory.mktemp("gallery")) as run:
        page = PlainPage(browser.page(), run)
        yield Gallery(page)
        browser.take_back(page)


@pytest.fixture(params=["light", "dark"], scope="module")
def theme(request: pytest.FixtureRequest, gallery: Gallery) -> Theme:
    """The page in this theme."""
    chosen: Theme = request.param
    gallery.page.theme(chosen)
    gallery.settle()
    return chosen


def open_tab(gallery: Gallery, name: str) -> None:
    gallery.lab.tab(name)
    gallery.settle()


def form_with_errors(gallery: Gallery) -> Locator:
    form = gallery.lab.root.get_by_role("group", name="Command")
    form.get_by_role("combobox", name="Command type").select_option("RequestTransfer")
    form.get_by_label("amount").fill("ten")
    form.get_by_role("button", name="Send").click()
    expect(form.locator("[aria-invalid=true]").first).to_be_visible()
    return form


def test_axe_finds_nothing_wrong_and_all_text_can_be_read_in_any_view(gallery: Gallery, theme: Theme) -> None:
    page, rules = gallery.page.page, ALL if theme == "light" else CONTRAST
    for tab in gallery.tabs:
        open_tab(gallery, tab)
        if tab == gallery.tabs[0]:
            # All widgets of the page, and so all views.
            scope = ".cl-root"
            assert axe(page, scope, rules) == []
        else:
            scope = ".cl-face-lab .cl-tabbed"
            assert theme == "dark" or axe(page, scope, QUICK) == [], tab
        assert faint(page.locator(scope)) == [], tab
        assert ask(page.locator(scope), "small") == [], tab
    form_with_errors(gallery)
    assert axe(page, ".cl-face-lab .cl-command", rules) == []
    gallery.lab.root.get_by_role("button", name="Keys", exact=True).click()
    assert axe(page, ".cl-face-lab .cl-help", rules) == []
    assert faint(gallery.lab.root) == []
    assert ask(gallery.lab.root, "small") == []
    page.keyboard.press("Escape")


def test_the_tab_key_reaches_all_that_can_be_acted_on_and_leads_out_again(gallery: Gallery) -> None:
    root, keyboard = gallery.lab.root, gallery.page.page.keyboard
    for tab in gallery.tabs:
        open_tab(gallery, tab)
        whole = tab == gallery.tabs[0]
        scope = root if whole else root.locator(".cl-tabbed")
        wanted = ask(scope, "stops")
        reached, unseen = set(), set()
        (root if whole else root.get_by_role("tab", name=tab)).press("Shift+Tab")
        keyboard.press("Tab")
        while (focused := ask(scope, "focused")) is not None:
            reached.add(focused[0])
            unseen.add(focused[1])
            assert len(reached) <= len(wanted) + 1
            keyboard.press("Tab")
        missed = [what for place, what in enumerate(wanted) if str(place) not in reached]
        assert missed == [], tab
        assert unseen == {""}, "what has the focus shows it"


def test_the_arrow_keys_reach_every_mark_of_the_timeline(gallery: Gallery) -> None:
    for root in (gallery.lab.root, gallery.single("timeline")):
        marks, reached = ask(root.locator(".cl-timeline [role=listbox]"), "walked")
        assert marks > 15
        assert reached == marks


def test_a_command_is_sent_and_dropped_with_the_keyboard_alone(gallery: Gallery) -> None:
    page, keyboard = gallery.page, gallery.page.page.keyboard
    page.python("lab.goto(len(lab.trace) - 1)")
    form = gallery.lab.root.get_by_role("group", name="Command")
    form.get_by_role("combobox", name="Command type").focus()
    keyboard.type("Withdraw")
    for words in ("carol", "5"):
        keyboard.press("Tab")
        keyboard.type(words)
    keyboard.press("Enter")
    gallery.settle()
    assert page.python("lab.agenda[-1]").startswith("WithdrawFunds(account_id='carol', amount=5")
    gallery.lab.root.get_by_role("button", name="Drop WithdrawFunds").focus()
    keyboard.press("Space")
    gallery.settle()
    assert page.python("len(lab.agenda)") == "0"


def test_one_polite_region_of_the_widget_in_use_says_what_a_step_did_in_one_sentence(
    gallery: Gallery,
) -> None:
    for root in gallery.widgets.all():
        expect(root.locator("[role=status]")).to_have_count(1)
        expect(root.locator("[role=alert], [role=log], [aria-live]:not([role=status])")).to_have_count(0)
    foot = gallery.lab.root.get_by_role("status")
    said = {
        4: "Step 5: CreateAccount accepted, 1 event, BankAccount-alice is new, with name Alice, status open;"
        " completed",
        34: "Step 37: RequestTransfer rejected: insufficient funds (balance 4000); completed",
    }
    for moment, sentence in said.items():
        gallery.page.python(f"lab.goto({moment})")
        gallery.settle()
        ask(foot, "listen")
        gallery.lab.root.get_by_role("button", name="Step over", exact=True).press("Enter")
        gallery.lab.settle()
        assert ask(foot, "heard") == [sentence], "nothing else is said on the way"
    politeness = [each.get_attribute("aria-live") for each in gallery.page.page.locator(".cl-foot").all()]
    assert politeness == ["polite"] + ["off"] * len(gallery.singles), "others that show it do not say it too"


def test_nothing_moves_by_itself_for_whoever_wants_less_motion(gallery: Gallery) -> None:
    page = gallery.page.page
    assert ask(gallery.widgets, "moving") != [], "with motion, there is some"
    page.emulate_media(reduced_motion="reduce")
    for tab in gallery.tabs:
        open_tab(gallery, tab)
        assert ask(gallery.widgets, "moving") == [], tab
    page.emulate_media(reduced_motion="no-preference")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_forced_colours_shapes_stand_out_and_what_is_chosen_is_said_by_lines(
    gallery: Gallery, scheme: Literal["light", "dark"]
) -> None:
    page, root = gallery.page.page, gallery.lab.root
    open_tab(gallery, "Log")
    page.emulate_media(forced_colors="active", color_scheme=scheme)
    assert faint(gallery.widgets) == []
    shapes = ask(gallery.widgets, "shapes", ".cl-glyph path, .cl-mark path, .cl-node-shape, .cl-icon path")
    assert len(shapes) > 50
    assert min(shapes) >= 3
    tab, other = root.locator("[role=tab][aria-selected=true]"), root.locator("[role=tab]").first
    assert style(tab, "borderBottomColor") != style(other, "borderBottomColor")
    assert style(root.locator(".cl-log-row[aria-current]"), "outlineStyle") == "solid"
    assert style(root.locator(".cl-track-done"), "backgroundColor") != style(
        root.locator(".cl-track"), "backgroundColor"
    )
    page.emulate_media(forced_colors="none", color_scheme="no-preference")


def style(node: Locator, name: str) -> str:
    """A computed style."""
    return str(node.evaluate("(node, name) => getComputedStyle(node)[name]", name))
