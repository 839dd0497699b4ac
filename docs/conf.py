"""The documentation site: pages of this folder, the tutorials, and the docstrings. `make docs` builds it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import calamity_lab

ROOT = Path(__file__).resolve().parent.parent
TUTORIALS = ROOT / "docs" / "tutorials"

project = "calamity_lab"
author = "calamity_lab contributors"
copyright = author  # noqa: A001 - Sphinx's name
release = version = calamity_lab.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
exclude_patterns = ["decisions"]
default_role = "py:obj"

# The tutorials show what is saved in them. The still pictures stand for the widgets, which need a kernel.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, Any] = {}
nb_mime_priority_overrides = [
    ("html", "text/html", 0),
    ("html", "application/vnd.jupyter.widget-view+json", None),
]
myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
add_module_names = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "calamity_lab"
html_static_path: list[str] = []
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_last_updated_fmt = None


def lay_out_tutorials(_: Sphinx) -> None:
    """Copy the tutorials to where Sphinx finds them; they are written in `notebooks/`."""
    TUTORIALS.mkdir(exist_ok=True)
    for copy in TUTORIALS.glob("*.ipynb"):
        if not (ROOT / "notebooks" / copy.name).exists():
            copy.unlink()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        copy = TUTORIALS / path.name
        text = path.read_text(encoding="utf-8").replace("](../docs/", "](../")
        if not copy.exists() or copy.read_text(encoding="utf-8") != text:
            copy.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect what this file adds to Sphinx."""
    app.connect("builder-inited", lay_out_tutorials)
