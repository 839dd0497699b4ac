"""Texts that come from a model, made fit for a figure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

AS_TEXT: dict[str, Any] = {"parse_math": False, "usetex": False}
"""For every text that a model had a hand in: a dollar sign is a dollar sign."""

_BOX = "▯"


def legible(text: str, length: int = 60) -> str:
    """A text on one line, cut to a length; a box stands for what the font cannot draw."""
    text = text if len(text) <= length else f"{text[: length - 1]}…"
    fonts = _fonts(tuple(FontProperties().get_family()))
    return "".join(_drawn(character, fonts) for character in text)


def width(text: str, size: float) -> float:
    """How wide a text is in the default font, in points."""
    measured = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(measured[0])


def _drawn(character: str, fonts: tuple[Any, ...]) -> str:
    if character.isspace():
        return " "
    known = character.isprintable() and any(font.get_char_index(ord(character)) for font in fonts)
    return character if known else _BOX


@lru_cache(maxsize=8)
def _fonts(families: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(get_font(findfont(FontProperties(family=[family]))) for family in families)
