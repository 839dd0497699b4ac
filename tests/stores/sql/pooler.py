"""A pooler before PostgreSQL: each transaction of a client goes to any of the connections to the server."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from queue import Queue
from struct import pack, unpack
from typing import Any
from urllib.parse import parse_qs, urlsplit

CONNECTIONS = 3  # to the server
_NO_ENCRYPTION = {80877103, 80877104}  # what a client asks for first: SSL, or GSSAPI
_ENDS = {b"Q", b"S"}  # after these a client waits for an answer: Query and Sync
_READY, _TERMINATE, _PROCESS, _IDLE = b"Z", b"X", b"K", b"I"

Message = tuple[bytes, bytes]


class Pooler:
    """A transaction pooler, as PgBouncer before 1.21 is one: prepared statements and settings stay where
    they were made, and the next transaction of a client goes to another connection.

    A client is told a process id that is made up, as by PgBouncer, unless ``tells_process``.
    """

    def __init__(self, server_url: str, *, tells_process: bool = False) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(server_url).query).items()}
        self._address = f"{asked.pop('host')}/.s.PGSQL.{asked.pop('port')}"
        self._tells_process = tells_process
        self._pools: dict[bytes, tuple[Queue[socket.socket], list[Message]]] = {}
        self._opening = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        name = urlsplit(server_url).path
        options = "".join(f"&{key}={value.replace('=', '%3D')}" for key, value in asked.items())
        self.url = f"postgresql://postgres@127.0.0.1:{port}{name}?sslmode=disable{options}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Pooler:
        return self

    def __exit__(self, *exception: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):  # that is the end
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = None
        with suppress(OSError, EOFError):
            startup = _startup(client)
            pool, greeting = self._pool(startup)
            client.sendall(b"".join(_framed(*self._greeted(message)) for message in greeting))
            while batch := _batch(client):
                server = server or pool.get()
                server.sendall(batch)
                if _relayed(server, client) == _IDLE:
                    pool.put(server)
                    server = None
        client.close()
        if server is not None:  # in the middle of a transaction
            server.close()
            pool.put(self._connected(startup)[0])

    def _pool(self, startup: bytes) -> tuple[Queue[socket.socket], list[Message]]:
        with self._opening:
            if startup not in self._pools:
                opened = [self._connected(startup) for _ in range(CONNECTIONS)]
                pool: Queue[socket.socket] = Queue()
                for server, _ in opened:
                    pool.put(server)
                self._pools[startup] = pool, opened[0][1]
            return self._pools[startup]

    def _connected(self, startup: bytes) -> tuple[socket.socket, list[Message]]:
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._address)
        self._sockets.append(server)
        server.sendall(startup)
        greeting = [_message(server)]
        while greeting[-1][0] != _READY:
            greeting.append(_message(server))
        return server, greeting

    def _greeted(self, message: Message) -> Message:
        kind, body = message
        if kind == _PROCESS and not self._tells_process:
            body = random.randbytes(8)
        return kind, body


def _startup(client: socket.socket) -> bytes:
    """The first message of a client, which says the user, the database and the options."""
    while True:
        head = _exactly(client, 8)
        length, code = unpack("!ii", head)
        if code not in _NO_ENCRYPTION:
            return head + _exactly(client, length - 8)
        client.sendall(b"N")


def _batch(client: socket.socket) -> bytes:
    """The messages of a client up to where it waits for an answer; nothing where it has gone."""
    batch = []
    while not batch or batch[-1][0] not in _ENDS:
        batch.append(_message(client))
        if batch[-1][0] == _TERMINATE:
            return b""
    return b"".join(_framed(*message) for message in batch)


def _relayed(server: socket.socket, client: socket.socket) -> bytes:
    """Hand on what the server answers; the state of the transaction after it."""
    while True:
        kind, body = _message(server)
        client.sendall(_framed(kind, body))
        if kind == _READY:
            return body


def _message(source: socket.socket) -> Message:
    kind, length = unpack("!ci", _exactly(source, 5))
    return kind, _exactly(source, length - 4)


def _framed(kind: bytes, body: bytes) -> bytes:
    return pack("!ci", kind, len(body) + 4) + body


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = source.recv(count - len(found))
        if not part:
            raise EOFError
        found += part
    return found


def sessions(url: str) -> Iterator[Any]:
    """A connection of the driver through a pooler, once for each connection that the pooler has."""
    import psycopg

    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.prepare_threshold = None
        for _ in range(CONNECTIONS):
            yield connection
