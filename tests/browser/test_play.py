"""A run plays by itself, and stops at once: at a press, a key, any other move, the end, or an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from calamity_lab.examples import bank
from calamity_lab.lab import Lab
from tests.browser.bare_page import BarePage
from tests.browser.browser import Browser
from tests.moments import after

HEARD = """region => {
  window.heard = [];
  const hear = () => { if (!region.hasAttribute('aria-busy')) heard.push(region.textContent.trim()); };
  new MutationObserver(hear).observe(region, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture(scope="module")
def played(browser: Browser) -> Iterator[BarePage]:
    """One page for all of these tests, with all of the bank's story recorded."""
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    bare = BarePage(browser.page(), lab)
    yield bare
    browser.take_back(bare)


@pytest.fixture
def bare(played: BarePage) -> BarePage:
    """The lab at its start, at rest, with a kernel that answers at once."""
    played.page.evaluate("latency = 0")
    played.lab.restart()
    played.settle()
    return played


def speed(root: Locator) -> Locator:
    return root.get_by_role("combobox", name="Speed")


def plays(bare: BarePage) -> int:
    return sum(message["verb"] == "play" for message in bare.asked)


def test_it_plays_to_the_end_and_says_so_and_then_plays_again_from_the_start(bare: BarePage) -> None:
    speed(bare.root).select_option("30")
    bare.button("Play").click()
    expect(bare.button("Pause")).to_be_visible()
    expect(bare.root.get_by_role("status")).to_contain_text("Played to the end. Step 68: WithdrawFunds")
    expect(bare.button("Play")).to_have_attribute("title", "Play again from the start (p)")
    assert bare.lab.cursor == bare.moment == bare.lab.trace.last
    bare.button("Play").click()
    bare.page.wait_for_timeout(150)
    bare.press("Pause")
    assert 0 < bare.moment < bare.lab.trace.last


def test_it_plays_what_is_pending_too_command_by_command(browser: Browser) -> None:
    lab = Lab(bank)
    lab.send(*bank.story()[:3])
    bare = BarePage(browser.page(), lab)
    speed(bare.root).select_option("10")
    bare.root.press("p")
    expect(bare.root.get_by_role("status")).to_contain_text("Played to the end")
    assert [message["times"] for message in bare.asked if message["verb"] == "play"] == [1, 1, 1]
    assert lab.stepper.at_end
    browser.take_back(bare)


def test_sending_a_command_ends_it(browser: Browser) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    bare = BarePage(browser.page(), lab)
    speed(bare.root).select_option("1")
    bare.button("Play").click()
    expect(bare.root.get_by_role("slider", name="Moment")).to_have_js_property("value", "5")
    form = bare.root.get_by_role("group", name="Command")
    form.get_by_role("combobox", name="Command type").select_option("CloseAccount")
    form.get_by_label("account_id").fill("alice")
    form.get_by_role("button", name="Send").click()
    expect(bare.button("Play")).to_be_visible()
    expect(bare.root.get_by_role("status")).to_contain_text("CloseAccount is on the agenda")
    bare.page.wait_for_timeout(1_100)
    assert lab.cursor % 5 == 0
    assert lab.cursor == len(lab.trace) - 1
    assert plays(bare) == lab.cursor // 5
    browser.take_back(bare)


def test_moment_by_moment_it_passes_every_step(bare: BarePage) -> None:
    speed(bare.root).select_option("moments")
    before = plays(bare)
    bare.button("Play").click()
    bare.page.wait_for_timeout(500)
    bare.press("Pause")
    assert bare.lab.cursor == bare.moment == plays(bare) - before > 1


def test_a_pause_while_python_is_slow_lets_nothing_happen_but_the_one_command_asked_for(
    bare: BarePage,
) -> None:
    bare.page.evaluate("latency = 1200")
    speed(bare.root).select_option("10")
    before = plays(bare)
    bare.button("Play").click()
    expect(bare.root.get_by_role("slider", name="Moment")).to_have_js_property("value", "5")
    bare.button("Pause").click()
    expect(bare.button("Play")).to_be_visible()
    assert bare.moment == after(bare.lab, "Completed")
    expect(bare.root.get_by_role("status")).to_contain_text("Paused. Step 10:")
    bare.page.wait_for_timeout(300)
    assert plays(bare) - before == 2, "the second command was on its way"
    assert bare.lab.cursor == bare.moment == after(bare.lab, "Completed", 2)


def test_any_other_move_and_its_own_keys_end_it(bare: BarePage) -> None:
    speed(bare.root).select_option("1")
    slider = bare.root.get_by_role("slider", name="Moment")
    before, first = plays(bare), after(bare.lab, "Completed")
    endings: list[tuple[Callable[[], object], int]] = [
        (lambda: bare.button("Rewind").click(), 0),
        (lambda: bare.root.press("]"), first + 1),
        (lambda: slider.fill("33"), 33),
        (lambda: go_to(bare.root, 31), 31),
        (lambda: bare.root.press("p"), first),
        (lambda: bare.root.press("Space"), first),
    ]
    for end, moment in endings:
        bare.lab.restart()
        bare.button("Play").click()
        expect(slider).to_have_js_property("value", str(first))
        end()
        expect(bare.button("Play")).to_be_visible()
        bare.settle()
        assert bare.lab.cursor == bare.moment == moment
    bare.page.wait_for_timeout(1_100)
    assert plays(bare) - before == len(endings)


def go_to(root: Locator, step: int) -> None:
    field = root.get_by_label("Go to", exact=True)
    field.fill(str(step))
    field.press("Enter")


def test_looking_around_does_not_end_it_and_a_move_made_elsewhere_does(bare: BarePage) -> None:
    speed(bare.root).select_option("3")
    bare.button("Play").click()
    bare.root.get_by_role("tab", name="Log").click()
    bare.root.get_by_role("tab", name="State").click()
    bare.page.wait_for_timeout(300)
    expect(bare.button("Pause")).to_be_visible()
    bare.lab.goto(there := after(bare.lab, "AccountRenamed"))
    expect(bare.button("Play")).to_be_visible()
    bare.page.wait_for_timeout(400)
    # The command that was asked for before may be done.
    assert bare.lab.cursor in (there, after(bare.lab, "Completed", 9))


def test_the_lanes_follow_it_wherever_they_were_looked_at(bare: BarePage) -> None:
    lanes = bare.root.get_by_role("group", name="Timeline")
    lanes.get_by_role("button", name="Zoom in").click()
    lanes.get_by_role("button", name="Later events").click()
    follow = lanes.get_by_role("button", name="Follow the cursor")
    expect(follow).to_have_attribute("aria-pressed", "false")
    bare.button("Play").click()
    expect(follow).to_have_attribute("aria-pressed", "true")
    bare.press("Pause")


def test_a_thumb_that_is_held_does_not_run_away(bare: BarePage) -> None:
    speed(bare.root).select_option("3")
    bare.button("Play").click()
    box = bare.root.get_by_role("slider", name="Moment").bounding_box()
    assert box is not None
    bare.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    bare.page.mouse.down()
    expect(bare.button("Play")).to_be_visible()
    bare.page.mouse.up()
    bare.settle()
    assert bare.moment == bare.lab.trace.last // 2, "in the middle of the slider"


def test_what_passes_by_is_not_read_out_and_where_it_rests_is(bare: BarePage) -> None:
    speed(bare.root).select_option("3")
    bare.root.get_by_role("status").evaluate(HEARD)
    bare.button("Play").click()
    bare.page.wait_for_timeout(500)
    assert bare.moment > 5
    assert bare.page.evaluate("heard") == []
    bare.press("Pause")
    heard = bare.page.evaluate("heard")
    assert heard[-1].startswith(f"Paused. Step {bare.moment}:")
    assert len(heard) <= 2


def test_a_model_that_breaks_stops_it_and_the_foot_says_why(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.step()
    monkeypatch.setattr(bank.BankAccount, "execute", lambda self, command: 42)
    bare = BarePage(browser.page(), lab)
    bare.button("Play").click()
    foot = bare.root.get_by_role("status")
    expect(foot).to_contain_text("Play stopped. ")
    expect(foot).to_contain_text("returned 42")
    expect(foot).to_have_attribute("data-tone", "error")
    expect(bare.button("Play")).to_be_visible()
    browser.take_back(bare)


def test_a_lab_in_which_nothing_can_happen_has_nothing_to_play(browser: Browser) -> None:
    bare = BarePage(browser.page(), Lab(bank))
    expect(bare.button("Play")).to_have_attribute("aria-disabled", "true")
    bare.root.press("p")
    bare.settle()
    assert plays(bare) == 0
    browser.take_back(bare)


def test_a_recorded_run_plays_without_python(browser: Browser, tmp_path: Path) -> None:
    lab = Lab(bank)
    lab.send(*bank.story())
    lab.resume()
    page: Page = browser.page()
    page.goto(f"{lab.to_html(tmp_path / 'run.html').as_uri()}#0")
    root = page.locator(".cl-root")
    speed(root).select_option("30")
    root.press("p")
    expect(root.get_by_role("status")).to_contain_text("Played to the end. Step 68")
    browser.close(page)
