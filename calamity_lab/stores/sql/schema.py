"""The tables of an event store in a database, the same in SQLite and in PostgreSQL.

``events.position`` counts over all streams, without a gap, in the order of the commits;
``payload`` and ``metadata`` are JSON as text, so that a person can query them and nothing of them is lost.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSON, TIMESTAMP

VERSION = 1

_LONG = BigInteger().with_variant(
    Integer(), "sqlite"
)  # in SQLite an INTEGER has 64 bits, and may be the rowid
_JSON = Text().with_variant(JSON(), "postgresql")
_TIME = Text().with_variant(TIMESTAMP(timezone=True), "postgresql")

tables = MetaData()

# The wide columns come last, so that reading one that is narrow need not step over them.
events = Table(
    "events",
    tables,
    Column("position", _LONG, primary_key=True, autoincrement=False),
    Column("stream_id", Text, nullable=False),
    Column("stream_version", _LONG, nullable=False),
    Column("event_id", Text, nullable=False, unique=True),
    Column("event_type", Text, nullable=False),
    Column("type_version", Integer, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("causation_id", Text),
    Column("recorded_at", _TIME, nullable=False),
    Column("metadata", _JSON, nullable=False),
    Column("payload", _JSON, nullable=False),
    UniqueConstraint("stream_id", "stream_version"),
)

snapshots = Table(
    "snapshots",
    tables,
    Column("stream_id", Text, primary_key=True),
    Column("version", _LONG, nullable=False),
    Column("position", _LONG, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("shape", Text, nullable=False),
    Column("state", _JSON, nullable=False),
)

# One row: which version of these tables the database holds.
schema = Table("calamity_lab_schema", tables, Column("version", Integer, nullable=False))
