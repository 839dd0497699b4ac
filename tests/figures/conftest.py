"""Figures are drawn without a screen, and closed again."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with plt.rc_context():
        yield
    plt.close("all")
