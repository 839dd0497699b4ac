"""A line to a PostgreSQL server that breaks when it is told to."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit


@dataclass
class Call:
    """One connection over the line; the answer to what was said last may be lost."""

    client: socket.socket
    server: socket.socket
    loses_the_answer: bool = False

    def hang_up(self) -> None:
        for end in (self.client, self.server):
            with suppress(OSError):  # it may have hung up before
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class BreakingLine:
    """Hands on what is said between a store and its server, until a word is said.

    ``cut_before`` is a word that the server is not to hear; ``cut_after`` one that it hears and answers, but
    the answer gets lost. Each cuts once. While the line is ``down``, nobody gets through.
    """

    def __init__(self, directory: str, server: str) -> None:
        self.cut_before: bytes | None = None
        self.cut_after: bytes | None = None
        self.down = False
        self.cuts = 0
        self._server = server
        self._calls: list[Call] = []
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(f"{directory}/.s.PGSQL.5432")
        self._listening.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cut every connection that there is."""
        self.cuts += 1
        calls, self._calls = self._calls, []
        for call in calls:
            call.hang_up()

    def close(self) -> None:
        """Take the line down for good."""
        self.down = True
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):  # that is how waiting for calls ends
            while True:
                client, _ = self._listening.accept()
                call = Call(client, socket.socket(socket.AF_UNIX))
                if self.down:
                    call.hang_up()
                    continue
                call.server.connect(self._server)
                self._calls.append(call)
                for hand_on in (self._ask, self._answer):
                    threading.Thread(target=hand_on, args=(call,), daemon=True).start()

    def _ask(self, call: Call) -> None:
        with suppress(OSError):
            while said := call.client.recv(1 << 20):
                if self.cut_before is not None and self.cut_before in said:
                    self.cut_before = None
                    self.cuts += 1
                    break
                if self.cut_after is not None and self.cut_after in said:
                    self.cut_after = None
                    call.loses_the_answer = True
                call.server.sendall(said)
        call.hang_up()

    def _answer(self, call: Call) -> None:
        with suppress(OSError):
            while said := call.server.recv(1 << 20):
                if call.loses_the_answer:
                    self.cuts += 1
                    break
                call.client.sendall(said)
        call.hang_up()


@contextmanager
def breaking_line(url: str) -> Iterator[tuple[BreakingLine, str]]:
    """A line to the server of a URL, and the URL by which the same database is reached over the line."""
    query = parse_qs(urlsplit(url).query)
    host, port = query["host"][0], query["port"][0]
    directory = tempfile.mkdtemp(prefix="line-")
    line = BreakingLine(directory, f"{host}/.s.PGSQL.{port}")
    try:
        whole = url.replace(f"host={quote(host, safe='/')}", f"host={directory}")
        yield line, whole.replace(f"port={port}", "port=5432")
    finally:
        line.close()
        shutil.rmtree(directory)
