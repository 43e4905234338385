"""Rows of subjects' salts: made when first needed, destroyed by erasure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.store.database import Connection
from ledger.store.log_rows import LOG_ID
from ledger.types import Subject

_READ = "SELECT subject, salt FROM subject_salt WHERE log_id = $1 AND subject = ANY($2::bytea[])"


async def read_salts(connection: Connection, subjects: Sequence[Subject]) -> dict[bytes, bytes]:
    """The salts of these subjects, those that have one."""
    rows = await connection.fetch(_READ, LOG_ID, list(subjects))
    return {row["subject"]: row["salt"] for row in rows}


_INSERT = """
INSERT INTO subject_salt (log_id, subject, salt) SELECT $1, u.* FROM unnest($2::bytea[], $3::bytea[]) AS u
ON CONFLICT DO NOTHING
"""


async def insert_salts(connection: Connection, salts: Mapping[bytes, bytes]) -> None:
    """Add salts; one that is there already stays."""
    await connection.execute(_INSERT, LOG_ID, list(salts.keys()), list(salts.values()))


_DESTROY = "DELETE FROM subject_salt WHERE log_id = $1 AND subject = $2"


async def destroy_salt(connection: Connection, subject: Subject) -> bool:
    """Destroy a subject's salt; False when there was none."""
    status: str = await connection.execute(_DESTROY, LOG_ID, subject)
    return status == "DELETE 1"
