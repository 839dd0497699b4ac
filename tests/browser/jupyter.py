"""A JupyterLab server for tests: on a free local port, and with settings of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.open_lab import settings

# The front end is driven through window.jupyterapp.
FLAGS = (
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--LabApp.expose_app_in_browser=True",
)


class JupyterServer:
    """One JupyterLab whose files are a copy of the tutorials plus the notebooks that tests write.

    ``folder`` is an empty folder that the server may fill; ``notebooks`` is copied into it. The Python that
    runs the server runs its kernels too.
    """

    def __init__(self, folder: Path, notebooks: Path | None = None) -> None:
        self.folder = folder
        self.root = folder / "files"
        self.log = folder / "jupyter.log"
        self.url = ""
        # A token, so that nobody else on this machine can run code while the tests do.
        self._token = secrets.token_hex(16)
        self._written = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._errands = ThreadPoolExecutor(max_workers=2)
        self._spare: Future[str] | None = None
        self._ended: list[Future[None]] = []
        if notebooks is not None and notebooks.is_dir():
            shutil.copytree(notebooks, self.root, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
        self.root.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, *, timeout: float = 60.0) -> None:
        """Start the server and wait until it answers; a RuntimeError carries its log if it does not."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words = [
            sys.executable,
            "-m",
            "jupyterlab",
            *FLAGS,
            f"--ServerApp.port={port}",
            f"--ServerApp.root_dir={self.root}",
        ]
        environment = {**os.environ, **settings(self.folder / "home"), "JUPYTER_TOKEN": self._token}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                words, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RuntimeError(
                    f"JupyterLab did not start within {timeout:.0f} s:\n{self.log.read_text()[-4000:]}"
                )
            time.sleep(0.1)

    def stop(self) -> None:
        """End the server and its kernels."""
        self._errands.shutdown()
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        for ended in self._ended:
            ended.result()

    def address(self, path: str) -> str:
        """The URL of a path on this server, which lets a browser in."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}token={self._token}"

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

    def _answers(self) -> bool:
        try:
            self._ask("GET", "/api/status")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def _ask(self, method: str, path: str, told: Any = None) -> Any:
        body = None if told is None else json.dumps(told).encode()
        request = urllib.request.Request(self.url + path, method=method, data=body)
        request.add_header("Authorization", f"token {self._token}")
        # Never through a proxy: the server is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None


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


def free_port() -> int:
    """A local port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
