"""The colours of the views can be read in both themes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import calamity_lab
from calamity_lab.views.looks import COLOURS, LOOKS, SIGNS
from calamity_lab.widgets.front_end import sheet

PACKAGE = Path(calamity_lab.__file__).parent

# JupyterLab's papers, light and dark; the cards' are whiter and blacker.
PAPERS = (("#ffffff",), ("#212121", "#111111"))
KINDS = ("command", "event", "manager", "aggregate", "projection", "rejected")


def colours(name: str) -> tuple[str, str]:
    """A colour in the light and in the dark theme."""
    return COLOURS[name].light, COLOURS[name].dark


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2 reckons it."""
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_black_on_white_has_the_contrast_that_the_standard_tells() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("name", COLOURS)
def test_the_style_sheet_has_each_colour_for_both_themes(name: str) -> None:
    found = re.search(rf"--cl-{name}:[^;]*light-dark\((#\w+), (#\w+)\)", sheet())
    assert found is not None
    assert (found[1], found[2]) == colours(name)
    assert set(re.findall(r"#[0-9a-f]{3,8}\b", sheet())) <= {
        each for known in COLOURS for each in colours(known)
    }


def test_no_other_file_names_a_colour() -> None:
    """So a colour of the views is one file to change."""
    text = re.compile(r"#[0-9a-fA-F]{6}\b")
    files = [path for end in ("py", "js", "css") for path in PACKAGE.rglob(f"*.{end}")]
    assert [path.name for path in files if text.search(path.read_text(encoding="utf-8"))] == ["looks.py"]


def test_what_is_drawn_has_a_colour_that_there_is() -> None:
    assert {look.colour for look in LOOKS.values()} | {look.soft for look in LOOKS.values()} <= set(COLOURS)
    assert {sign.colour for sign in SIGNS.values()} <= set(COLOURS)


@pytest.mark.parametrize("name", [*KINDS, "ink", "ink-soft", "accent", "good", "conflict", "later"])
@pytest.mark.parametrize("theme", [0, 1])
def test_a_text_in_this_colour_can_be_read_on_paper(name: str, theme: int) -> None:
    assert min(contrast(colours(name)[theme], paper) for paper in PAPERS[theme]) >= 4.5


@pytest.mark.parametrize("background", [*(f"{kind}-soft" for kind in KINDS), "shade", "accent-soft"])
@pytest.mark.parametrize("theme", [0, 1])
def test_text_can_be_read_on_this_background(background: str, theme: int) -> None:
    assert contrast(colours("ink")[theme], colours(background)[theme]) >= 7
    assert contrast(colours("ink-soft")[theme], colours(background)[theme]) >= 4.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("theme", [0, 1])
def test_a_kinds_name_can_be_read_on_its_own_ground(kind: str, theme: int) -> None:
    assert contrast(colours(kind)[theme], colours(f"{kind}-soft")[theme]) >= 4.5
