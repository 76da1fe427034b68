"""Who is signed in. A session stands for an API key, and ends no later than that is revoked."""

from datetime import datetime
from secrets import token_urlsafe
from typing import NamedTuple

from api.keys import Holder, hash_of
from casecore.actors import Actor, Role
from casecore.database import Pool

SESSION_SECONDS = 8 * 3600
SESSIONS_MAX = 20
"""How many one key may have: when another begins, the oldest ends."""
ID_BYTES = 32


class Session(NamedTuple):
    holder: Holder
    key_hash: bytes
    expires_at: datetime


async def begin(pool: Pool, key: bytes) -> str:
    """A session for whoever holds the key; its id is told here and never again."""
    id = token_urlsafe(ID_BYTES)
    await pool.execute("DELETE FROM sys.session WHERE expires_at <= now()")
    await pool.execute(
        """
        INSERT INTO sys.session (id_hash, key_id, expires_at)
        SELECT $1, id, now() + make_interval(secs => $3) FROM sys.api_key WHERE key_hash = $2
        """,
        hash_of(id.encode()),
        hash_of(key),
        SESSION_SECONDS,
    )
    await pool.execute(
        """
        DELETE FROM sys.session WHERE id_hash IN (
            SELECT s.id_hash FROM sys.session s JOIN sys.api_key k ON k.id = s.key_id
            WHERE k.key_hash = $1 ORDER BY s.begun_at DESC OFFSET $2
        )
        """,
        hash_of(key),
        SESSIONS_MAX,
    )
    return id


async def current(pool: Pool, id: str) -> Session | None:
    """Asked anew with every request: any process may have ended it, or revoked its key."""
    row = await pool.fetchrow(
        """
        SELECT ledger, actor, role, key_hash, expires_at
        FROM sys.session s JOIN sys.api_key k ON k.id = s.key_id
        WHERE id_hash = $1 AND expires_at > now() AND revoked_at IS NULL
        """,
        hash_of(id.encode()),
    )
    if row is None:
        return None
    holder = Holder(row["ledger"], Actor(row["actor"], Role(row["role"])))
    return Session(holder, row["key_hash"], row["expires_at"])


async def end(pool: Pool, id: str) -> None:
    await pool.execute("DELETE FROM sys.session WHERE id_hash = $1", hash_of(id.encode()))
