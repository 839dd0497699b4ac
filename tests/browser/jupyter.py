"""JupyterLab and Notebook 7 for tests, with settings of their own."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from scripts.open_lab import settings
from tests.browser.kernel_fork import KernelFork
from tests.browser.local_server import LocalServer

LEFT_OUT = Path(__file__).with_name("left_out")
"""Stands before the libraries on the server's path."""


class JupyterServer(LocalServer):
    """One JupyterLab whose files are a copy of the tutorials plus the notebooks that tests write.

    ``notebooks`` is copied into its folder. The Python that runs the server runs its kernels too, which are
    forked where a ``fork`` is given.
    """

    alive = "/api/status"
    module = "jupyterlab"
    # The front end is driven through window.jupyterapp.
    exposed = "LabApp"

    def __init__(
        self, folder: Path, notebooks: Path | None = None, *, fork: KernelFork | None = None
    ) -> None:
        super().__init__(folder)
        self._fork = fork
        self._written = 0
        self._errands = ThreadPoolExecutor(max_workers=2)
        self._spare: Future[str] | None = None
        self._ended: list[Future[None]] = []
        if notebooks is not None and notebooks.is_dir():
            shutil.copytree(notebooks, self.root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))

    def command(self, port: int) -> Sequence[str]:
        return (
            *(sys.executable, "-m", self.module, "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", "--ServerApp.port_retries=0", f"--ServerApp.port={port}"),
            *(f"--ServerApp.root_dir={self.root}", f"--{self.exposed}.expose_app_in_browser=True"),
        )

    def settings(self) -> Mapping[str, str]:
        forked = {} if self._fork is None else self._fork.settings
        own = {"JUPYTER_TOKEN": self.token, "PYTHONPATH": str(LEFT_OUT)}
        return {**settings(self.folder / "home"), **forked, **own}

    def stop(self) -> None:
        """End the server and its kernels."""
        self._errands.shutdown()
        super().stop()
        for ended in self._ended:
            ended.result()

    def address(self, path: str) -> str:
        return f"{super().address(path)}token={self.token}"

    def place(self, notebook: str) -> str:
        """The path at which this notebook is opened."""
        # A workspace of its own knows no tabs of others; JupyterLab leaves one that another page has open.
        return f"/lab/workspaces/{secrets.token_hex(4)}/tree/{notebook}"

    def write_notebook(self, cells: Sequence[str]) -> str:
        """Write a notebook with these code cells; its path, as the server knows it."""
        self._written += 1
        path = f"written-{self._written}.ipynb"
        notebook = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
            "cells": [code_cell(index, source) for index, source in enumerate(cells)],
        }
        (self.root / path).write_text(json.dumps(notebook), encoding="utf-8")
        return path

    def prepare_kernel(self) -> None:
        """Start a kernel in the background, for the next one who takes it; one at a time."""
        self._spare = self._spare or self._errands.submit(self._start_kernel)

    def take_kernel(self) -> str:
        """The id of a kernel that nobody has used."""
        self.prepare_kernel()
        assert self._spare is not None
        spare, self._spare = self._spare, None
        return spare.result()

    def end_kernels(self, notebooks: Collection[str] | None = None) -> None:
        """End the kernels of these notebooks, or of all, so that memory is given back."""
        for session in self._ask("GET", "/api/sessions"):
            if notebooks is None or session["path"] in notebooks:
                self._ask("DELETE", f"/api/sessions/{session['id']}")

    def end_kernels_meanwhile(self, notebooks: Collection[str]) -> None:
        """End the kernels of these notebooks in the background; `stop` raises what went wrong."""
        self._ended.append(self._errands.submit(self.end_kernels, notebooks))

    def _start_kernel(self) -> str:
        return str(self._ask("POST", "/api/kernels", {"name": "python3", "path": ""})["id"])

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, method=method, data=body)
        request.add_header("Authorization", f"token {self.token}")
        with self.opener.open(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None


class NotebookServer(JupyterServer):
    """The same with Notebook 7, which shows one notebook a page."""

    module = "notebook"
    exposed = "JupyterNotebookApp"

    def place(self, notebook: str) -> str:
        return f"/notebooks/{notebook}"


def code_cell(index: int, source: str) -> dict[str, Any]:
    """A code cell that was never run, in the notebook's file format."""
    return {
        "cell_type": "code",
        "id": f"cell-{index}",
        "metadata": {},
        "source": source,
        "execution_count": None,
        "outputs": [],
    }
