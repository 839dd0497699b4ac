"""Frames as comma-separated text."""

from __future__ import annotations

from typing import Any

import pandas as pd

from calamity_lab.frames.texts import as_text


def csv_text(frame: Any) -> str:
    """A DataFrame as CSV: a heading, a line a row, nested values as JSON."""
    columns = {
        name: pd.Series(list(map(as_text, column)), dtype=object) if column.dtype == object else column
        for name, column in frame.items()
    }
    return str(pd.DataFrame(columns, copy=False).to_csv(index=False, lineterminator="\n"))
