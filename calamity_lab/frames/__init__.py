"""Histories and traces as pandas, Arrow, Parquet, CSV, JSON Lines; libraries load when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from calamity_lab.kernel import lazily

if TYPE_CHECKING:
    from calamity_lab.frames.history import History
    from calamity_lab.frames.tables import (
        aggregate_table,
        pending_table,
        process_manager_table,
        projection_table,
        step_table,
    )

_HOMES = {
    "frames.history": "History",
    "frames.tables": "aggregate_table pending_table process_manager_table projection_table step_table",
}

__all__ = [
    "History",
    "aggregate_table",
    "pending_table",
    "process_manager_table",
    "projection_table",
    "step_table",
]


__getattr__ = lazily(__name__, _HOMES)
