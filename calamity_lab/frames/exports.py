"""The ways out of the lab that every table has: pandas, Arrow, Parquet, CSV, JSON Lines."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.frames.files import arrow_table, csv_text, json_line, pyarrow
from calamity_lab.kernel.arguments import a_bool, a_path, refuse_unknown

if TYPE_CHECKING:
    from pandas import DataFrame

Path = str | os.PathLike[str]


class Exports(ABC):
    """Rows that leave the lab in any of these formats; an export never changes them.

    A subclass gives the rows as a DataFrame, and as dicts for JSON Lines. An export that takes a path writes
    UTF-8.
    """

    __slots__ = ()

    @abstractmethod
    def to_pandas(self) -> DataFrame:
        """A DataFrame with one row per row; `History.to_pandas` says how values become columns."""

    @abstractmethod
    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row, with the values themselves."""

    def to_arrow(self, **unknown: Any) -> Any:
        """A ``pyarrow.Table`` with the columns of `to_pandas`; needs the extra ``arrow``.

        A column of objects that no Arrow type holds unchanged becomes text: JSON for values with parts.
        """
        refuse_unknown("to_arrow()", unknown, ())
        pyarrow("to_arrow()")
        return arrow_table(self.to_pandas(), "to_arrow()")

    def to_parquet(self, path: Path, **unknown: Any) -> None:
        """Write the table of `to_arrow` as a Parquet file; needs the extra ``arrow``."""
        refuse_unknown("to_parquet()", unknown, ("path",))
        pyarrow("to_parquet()")
        from pyarrow import parquet

        arrow = arrow_table(self.to_pandas(), "to_parquet()")
        _write("to_parquet", path, lambda target: parquet.write_table(arrow, target))

    def to_csv(
        self, path: Path | None = None, *, escape_formulas: bool = False, **unknown: Any
    ) -> str | None:
        """Write the columns of `to_pandas` as CSV; without a path, return the text.

        Records, lists and other values with parts are JSON. None, NaN and an empty text look alike, and so do
        1 and "1". A spreadsheet runs a text that begins with
        ``=``, ``+``, ``-``, ``@``, a tab or a carriage return as a formula. ``escape_formulas=True`` puts a
        ``'`` before such a text; numbers stay as they are. Use it for files that people open in a
        spreadsheet, and not for files that a program reads.
        """
        refuse_unknown("to_csv()", unknown, ("path", "escape_formulas"))
        escaped = a_bool("to_csv(escape_formulas)", escape_formulas)
        return _write_text("to_csv", path, [csv_text(self.to_pandas(), escape_formulas=escaped)])

    def to_json_lines(self, path: Path | None = None, **unknown: Any) -> str | None:
        """Write one JSON object per row and line; without a path, return the text.

        Times, with their offset from UTC, and durations are in ISO 8601. A Decimal is a text, and so is a
        float that JSON does not have. A member of an Enum is its value if all members have texts or all have
        whole numbers, else its name: the same as in a store.
        """
        refuse_unknown("to_json_lines()", unknown, ("path",))
        return _write_text("to_json_lines", path, map(json_line, self.rows()))


def _write_text(call: str, path: Path | None, chunks: Iterable[str]) -> str | None:
    if path is None:
        return "".join(chunks)

    def write(target: Path) -> None:
        with open(target, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:  # noqa: PTH123
            file.writelines(chunks)

    _write(call, path, write)
    return None


def _write(call: str, path: Path, write: Callable[[Path], object]) -> None:
    target = a_path(f"{call}(path)", path, f"{call}('history.out')")
    try:
        write(target)
    except (OSError, ValueError) as error:  # what Arrow says of a path is a ValueError
        why = str(getattr(error, "strerror", None) or error)[:200]  # Arrow repeats the path
        raise InvalidValue(
            f"{call}({repr_of(target)}) could not write: {why}. "
            "Give a file in a folder that exists and can be written to"
        ) from error
