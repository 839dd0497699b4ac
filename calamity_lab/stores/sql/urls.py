"""The URLs by which databases are named; a password in one is never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from calamity_lab.errors import InvalidValue, repr_of
from calamity_lab.kernel.arguments import has, is_a

_HIDDEN = "***"

_URL = re.compile(
    r"""
    (?P<scheme>\w+) (?:\+(?P<driver>\w+))? ://
    (?: (?P<user>[^:/@]*) (?::(?P<password>[^@]*))? @ )?
    (?: \[(?P<bracketed>[^/?\]]+)\] | (?P<host>[^/:?@\[]*) )
    (?: :(?P<port>[0-9]*) )?
    (?: /(?P<database>[^?]*) )?
    (?: \?(?P<query>.*) )?
    """,
    re.VERBOSE | re.DOTALL,
)
# From the colon behind the user to the last @ before the query, or of all: a password may hold any character.
_IN_FRONT = re.compile(r"(://[^:/@]*:)(?:[^?]*|.*)@", re.DOTALL)
_IN_QUERY = re.compile(r"(?i)([?&][^=&]*(?:password|passwd|pwd|secret|token)[^=&]*=)[^&]*")


@dataclass(frozen=True)
class URL:
    """The parts of a database's URL. Its text, for people to read, has no password."""

    scheme: str
    driver: str | None
    user: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    query: Mapping[str, str]
    text: str

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"URL({self.text!r})"

    def redacted(self, said: str) -> str:
        """What a driver said, without the passwords of this URL."""
        for name, value in (("password", self.password), *self.query.items()):
            if value and _IN_QUERY.match(f"?{name}="):
                said = said.replace(value, _HIDDEN)
        return said


def parsed(given: Any, examples: str) -> URL:
    """The parts of the URL; one of SQLAlchemy's may be given, too. An error names the examples."""
    if has(given, "render_as_string"):
        given = given.render_as_string(hide_password=False)
    if not is_a(given, str):
        raise InvalidValue(f"an event store is opened by a URL, as in {examples}; found {repr_of(given)}")
    found = None if "\0" in given else _URL.fullmatch(given)
    if found is None:
        shown = redacted(str.__str__(given))
        meant = "" if ":" in shown or not shown else f"; did you mean {repr_of(f'sqlite:///{shown}')}?"
        raise InvalidValue(f"{repr_of(shown)} is not a URL of a database{meant}; what works: {examples}")
    user, password, port, query = found.group("user", "password", "port", "query")
    return URL(
        scheme=found["scheme"],
        driver=found["driver"],
        user=unquote(user) if user else None,
        password=None if password is None else unquote(password),
        host=found["bracketed"] or found["host"] or None,
        port=int(port) if port else None,
        database=found["database"] or None,
        query=_options(query or ""),
        text=redacted(given.replace(f"+{found['driver']}://", "://", 1)),
    )


def _options(query: str) -> dict[str, str]:
    """The options behind the question mark; the values of one that is repeated have commas in between."""
    options: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        options.setdefault(name, []).append(value)
    return {name: ",".join(values) for name, values in options.items()}


def redacted(url: str) -> str:
    """The text of a URL, or of what was meant as one, with *** for every password: the one place for it."""
    return _IN_QUERY.sub(rf"\g<1>{_HIDDEN}", _IN_FRONT.sub(rf"\g<1>{_HIDDEN}@", url))
