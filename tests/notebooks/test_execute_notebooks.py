"""What running the tutorials keeps, what it takes out, and what it tells."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from matplotlib.image import imsave
from nbclient.exceptions import CellExecutionError
from nbformat import v4

from scripts import execute_notebooks as tutorials


def shown(**data: Any) -> Any:
    return v4.new_output("display_data", {name.replace("_", "/", 1): value for name, value in data.items()})


def with_outputs(*outputs: Any) -> Any:
    return v4.new_notebook(cells=[v4.new_code_cell("lab", outputs=list(outputs), id="one")])


def picture(pixels: Any) -> str:
    file = io.BytesIO()
    imsave(file, pixels, format="png")
    return base64.b64encode(file.getvalue()).decode()


def grey(level: float) -> Any:
    return np.full((20, 30, 3), level)


def notebook_file(folder: Path, *sources: str) -> Path:
    cells = [v4.new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
    path = folder / "01-some.ipynb"
    path.write_text(tutorials.written(v4.new_notebook(cells=cells)), encoding="utf-8")
    return path


def test_a_live_widget_is_left_out_and_its_still_picture_stays() -> None:
    widget = v4.new_output("display_data", {tutorials.WIDGET: {"model_id": "f00"}, "text/plain": "LabView"})
    still = shown(text_html='<div data-calamity-still="17">17 events</div>')
    notebook = with_outputs(widget, still)
    (cell,) = tutorials.settled(notebook, notebook).cells
    (kept,) = cell.outputs
    assert kept.data == {"text/html": '<div data-calamity-still="cell-0-1">17 events</div>'}


def test_what_is_about_the_run_and_not_about_its_results_is_left_out() -> None:
    notebook = with_outputs()
    notebook.cells[0].metadata["execution"] = {"iopub.execute_input": "2026-11-24T07:30:00Z"}
    notebook.metadata = nbformat.from_dict(
        {"language_info": {"name": "python", "version": "3.11.2"}, "widgets": {"application/x": {}}}
    )
    kept = tutorials.settled(notebook, notebook)
    assert "version" not in kept.metadata.language_info
    assert "widgets" not in kept.metadata
    assert not kept.cells[0].metadata


def test_a_picture_that_looks_as_before_stays_byte_for_byte() -> None:
    before, now = picture(grey(0.5)), picture(grey(0.504))
    assert before != now
    kept = tutorials.settled(with_outputs(shown(image_png=now)), with_outputs(shown(image_png=before)))
    assert kept.cells[0].outputs[0].data["image/png"] == before


@pytest.mark.parametrize("other", [grey(0.8), np.full((20, 31, 3), 0.5)], ids=["colour", "size"])
def test_a_picture_that_looks_different_is_taken_over(other: Any) -> None:
    before, now = picture(grey(0.5)), picture(other)
    kept = tutorials.settled(with_outputs(shown(image_png=now)), with_outputs(shown(image_png=before)))
    assert kept.cells[0].outputs[0].data["image/png"] == now


def test_running_writes_what_the_cells_show_and_running_again_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook_file(tmp_path, "6 * 7")
    assert tutorials.main([str(path)]) == 0
    assert tutorials.read(path).cells[0].outputs[0].data["text/plain"] == "42"
    assert tutorials.main([str(path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["01-some.ipynb: written", "01-some.ipynb: unchanged"]


def test_a_check_tells_the_first_cell_that_shows_something_else_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook_file(tmp_path, "1", "6 * 7")
    tutorials.main([str(path)])
    committed = path.read_text(encoding="utf-8").replace("42", "41")
    path.write_text(committed, encoding="utf-8")
    assert tutorials.main(["--check", str(path)]) == 1
    text = capsys.readouterr().out
    assert "cell 1 (6 * 7) shows something else" in text
    assert "41" in text
    assert "42" in text
    assert path.read_text(encoding="utf-8") == committed


def test_a_difference_within_a_long_still_picture_is_said_by_its_element() -> None:
    rows = [f"<td>{number} events</td>" for number in range(200)]
    old, new = (
        with_outputs(shown(text_html="".join(each))) for each in (rows, [*rows[:-1], "<td>none</td>"])
    )
    text = tutorials.difference(old, new) or ""
    assert "-<td>199 events</td>" in text
    assert "+<td>none</td>" in text
    assert "100 events" not in text


def test_a_cell_that_raises_ends_the_run_and_writes_nothing(tmp_path: Path) -> None:
    path = notebook_file(tmp_path, "1 / 0")
    before = path.read_text(encoding="utf-8")
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        tutorials.main([str(path)])
    assert path.read_text(encoding="utf-8") == before


def test_the_users_own_start_up_files_do_not_reach_a_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "home" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("mine = 1", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "home"))
    path = notebook_file(tmp_path, "'mine' in globals()")
    tutorials.main([str(path)])
    assert tutorials.read(path).cells[0].outputs[0].data["text/plain"] == "False"
