"""The URLs by which databases are named."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from calamity_lab.errors import InvalidValue, MissingExtra

_WORKS = (
    "sqlite:///events.db (a file), sqlite:////srv/events.db (a file by its whole path), sqlite:// (in "
    "memory), postgresql://user:password@host/database"
)
_SQLITE = {"sqlite", "sqlite+pysqlite"}
_POSTGRES = {"postgresql", "postgres", "postgresql+psycopg"}


def parsed(url: Any) -> URL:
    """The URL with the driver that is used: sqlite3 of the standard library, or psycopg 3."""
    if not isinstance(url, (str, URL)):
        raise InvalidValue(f"an event store is opened by a URL, as in {_WORKS}; found {url!r}")
    try:
        target = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidValue(f"{url!r} is no URL of a database; what works: {_WORKS}") from error
    if target.drivername in _SQLITE:
        return target.set(drivername="sqlite+pysqlite")
    if target.drivername in _POSTGRES:
        if find_spec("psycopg") is None:
            raise MissingExtra("an event store on PostgreSQL", "psycopg", "postgres")
        return target.set(drivername="postgresql+psycopg")
    backend, _, driver = target.drivername.partition("+")
    if driver and (backend in _SQLITE or backend in _POSTGRES):
        raise InvalidValue(
            f"{shown(target)!r}: the driver {driver!r} is not used here; leave it out, as in {backend}://..."
            f"; what works: {_WORKS}"
        )
    raise InvalidValue(
        f"{shown(target)!r}: an event store runs on SQLite or PostgreSQL, not on {backend!r}: {_WORKS}"
    )


def shown(url: URL) -> str:
    """The URL for people to read: without the password, and without the driver that is used anyway."""
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)
