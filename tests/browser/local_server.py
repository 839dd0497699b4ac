"""A server on this machine, started for tests and ended with them."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self


class LocalServer:
    """A process that serves pages from a free local port; ``folder`` is an empty folder that it may fill.

    Whoever subclasses it says with which ``command`` it starts, and which path answers when it is there.
    """

    alive = "/"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "files"
        self.log = folder / "server.log"
        self.url = ""
        # So that nobody else on this machine can run code while the tests do.
        self.token = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        # Never through a proxy: the server is on this machine.
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def command(self, port: int) -> Sequence[str]:
        """The words that start it on this port."""
        raise NotImplementedError

    def settings(self) -> Mapping[str, str]:
        """What it finds in its environment beside what is there."""
        raise NotImplementedError

    def start(self, *, timeout: float = 180.0) -> None:
        """Start it and wait until it answers; a RuntimeError carries its log if it does not."""
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.root.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, **self.settings()}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self.command(port),
                cwd=self.root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + timeout
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                text = self.log.read_text()[-4000:]
                raise RuntimeError(f"{type(self).__name__} did not start within {timeout:.0f} s:\n{text}")
            time.sleep(0.1)

    def stop(self) -> None:
        """End it and what it has started."""
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

    def address(self, path: str) -> str:
        """The URL of a path on this server, which lets a browser in."""
        return f"{self.url}{path}{'&' if '?' in path else '?'}"

    def _answers(self) -> bool:
        request = urllib.request.Request(self.url + self.alive)
        request.add_header("Authorization", f"token {self.token}")
        try:
            with self.opener.open(request, timeout=20):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def free_port() -> int:
    """A local port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
