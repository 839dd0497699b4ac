"""What axe and our own questions say of widgets on a page: whether everybody can see and use them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page

ASK = Path(__file__).with_name("accessibility.js").read_text(encoding="utf-8")
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
RUN_AXE = """
async ([selector, options]) => {
  const found = await axe.run(selector, {resultTypes: ['violations', 'incomplete'], ...options});
  const unclear = found.incomplete.filter(({id}) => id !== 'color-contrast');
  const problems = [...found.violations, ...unclear].flatMap(({id, help, nodes}) =>
    nodes.map(node => `${id}: ${help}: ${node.html.slice(0, 160)}`));
  return [found.passes.length, problems];
}
"""

Rules = Mapping[str, Any]
"""Which of axe's rules are asked, in its own words."""

ALL: Rules = {"rules": {"target-size": {"enabled": True}}}
"""`target-size` must be asked for."""

CONTRAST: Rules = {"runOnly": ["color-contrast"]}
"""The only rule that depends on the theme."""

BUT_CONTRAST: Rules = {"rules": {"target-size": {"enabled": True}, "color-contrast": {"enabled": False}}}
"""Where `faint` measures each contrast."""

QUICK: Rules = {"rules": {"color-contrast": {"enabled": False}}}
"""Without the two rules that take most of the time: `faint` and `small` ask more than they do."""


def axe(page: Page, selector: str, rules: Rules = ALL) -> list[str]:
    """What axe finds wrong within what this selects, or cannot decide: what is around it is not ours.

    Of a text in a drawing or beside an arrow axe says that it cannot tell its contrast; `faint` can.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    passes, found = page.evaluate(RUN_AXE, [selector, rules])
    assert passes > (0 if "runOnly" in rules else 5), "axe has looked at something"
    return list(found)


def ask(widgets: Locator, question: str, given: Any = None) -> Any:
    """What the page answers, of these widgets, to a question of `accessibility.js`."""
    if not widgets.page.evaluate("() => 'accessibility' in window"):
        widgets.page.evaluate(ASK)
    return widgets.evaluate_all(f"(roots, given) => accessibility.{question}(roots, given)", given)


def faint(widgets: Locator) -> list[str]:
    """The texts within these widgets whose contrast with what is behind them is less than 4.5."""
    checked, found = ask(widgets, "faint", 4.5)
    assert checked > 10
    return list(found)
