"""Histories and traces as pandas, Arrow, Parquet, CSV and JSON Lines."""

from calamity_lab.frames.history import History
from calamity_lab.frames.tables import aggregates_to_pandas, process_managers_to_pandas, steps_to_pandas

__all__ = ["History", "aggregates_to_pandas", "process_managers_to_pandas", "steps_to_pandas"]
