"""Light and dark: one way in which every figure gets the paper and the inks that it is drawn with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Literal, ParamSpec

from matplotlib import rc_context
from matplotlib.axes import Axes

from calamity_lab.errors import InvalidValue
from calamity_lab.figures.palette import DARK, LIGHT, Palette

Theme = Literal["light", "dark"]

THEMES: Mapping[str, Palette] = {"light": LIGHT, "dark": DARK}

_P = ParamSpec("_P")


def themed(plot: Callable[_P, Axes]) -> Callable[_P, Axes]:
    """A plot that is drawn in its ``theme``; without one, in the colours that matplotlib is set to.

    Axes that were given are turned to the theme, and the figure they stand in, since names stand beside
    axes too.
    """

    @wraps(plot)
    def drawn(*args: _P.args, **kwargs: _P.kwargs) -> Axes:
        theme = kwargs.get("theme")
        if theme is None:
            return plot(*args, **kwargs)
        chosen = _palette(plot.__name__, theme)
        with rc_context(_settings(chosen)):
            ax = plot(*args, **kwargs)
        _dress(ax, chosen)
        return ax

    return drawn


def _palette(call: str, theme: Any) -> Palette:
    found = THEMES.get(theme) if isinstance(theme, str) else None
    if found is None:
        raise InvalidValue(
            f"{call}(theme={theme!r}): a theme is 'light' or 'dark'; "
            "None takes the colours that matplotlib is set to"
        )
    return found


def _settings(chosen: Palette) -> dict[Any, Any]:
    papers = dict.fromkeys(("figure.facecolor", "figure.edgecolor", "axes.facecolor"), chosen.paper)
    inks = dict.fromkeys(
        ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), chosen.ink
    )
    lines = dict.fromkeys(("xtick.color", "ytick.color", "axes.edgecolor"), chosen.soft)
    return {**papers, **inks, **lines, "axes.titlecolor": chosen.ink}


def _dress(ax: Axes, chosen: Palette) -> None:
    """What stood there before the plot, and ticks that come when the figure gets another size."""
    figure = ax.get_figure(root=True)
    assert figure is not None, "axes that are drawn on stand in a figure"
    figure.set_facecolor(chosen.paper)
    ax.set_facecolor(chosen.paper)
    for spine in ax.spines.values():
        spine.set_edgecolor(chosen.soft)
    ax.tick_params(colors=chosen.soft, labelcolor=chosen.ink)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set_color(chosen.ink)
