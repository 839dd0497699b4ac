"""marimo for tests, with settings of its own."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.browser.local_server import LocalServer

SETTINGS = """
[display]
theme = "dark"
[runtime]
auto_instantiate = true
"""


class MarimoServer(LocalServer):
    """marimo's editor on one notebook, given by its cells, which run when it is opened; its theme is dark."""

    alive = "/health"

    def __init__(self, folder: Path, cells: Sequence[str]) -> None:
        super().__init__(folder)
        self.root.mkdir()
        (self.root / "notebook.py").write_text(notebook(cells), encoding="utf-8")
        (folder / "marimo").mkdir()
        (folder / "marimo" / "marimo.toml").write_text(SETTINGS, encoding="utf-8")

    def command(self, port: int) -> Sequence[str]:
        return (
            *(
                sys.executable,
                "-m",
                "marimo",
                "--yes",
                "edit",
                "notebook.py",
                "--headless",
                "--skip-update-check",
            ),
            *("--host", "127.0.0.1", "--port", str(port), "--token-password", self.token),
        )

    def settings(self) -> Mapping[str, str]:
        return {f"XDG_{kind}_HOME": str(self.folder) for kind in ("CONFIG", "CACHE", "STATE", "DATA")}

    def address(self, path: str) -> str:
        return f"{super().address(path)}access_token={self.token}"


def notebook(cells: Sequence[str]) -> str:
    """A notebook of marimo: a module with a function for each cell. It finds out itself what each needs."""
    functions = (
        "@app.cell\ndef _():\n" + "".join(f"    {line}\n" for line in [*cell.strip().splitlines(), "return"])
        for cell in cells
    )
    return "import marimo\n\napp = marimo.App()\n\n" + "\n\n".join(functions)
