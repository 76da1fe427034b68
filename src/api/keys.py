"""API keys: each stands for an actor, in a role, in a ledger. Only their hashes are kept."""

from collections import OrderedDict
from collections.abc import Collection
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from time import monotonic
from typing import NamedTuple
from uuid import UUID

import uuid_utils.compat as uuids

from casecore.actors import Actor, Role
from casecore.database import Pool
from casecore.errors import NotFound, Rejected, Unauthenticated
from casecore.secrets import drafted

PREFIX = "cck_"
KEY_BYTES = 32
BELIEVED_SECONDS = 2.0
"""How long a key is taken for what it was: a revoked one opens nothing after that."""
KNOWN_MAX = 10_000
UNKNOWN_MAX = 1_000

ADMIN_LEDGER = "main"
ADMIN_NAME = "first key, made by casecore"


class Holder(NamedTuple):
    ledger: str
    actor: Actor


class ApiKey(NamedTuple):
    """What is known of a key, which is not the key."""

    id: UUID
    ledger: str
    actor: str
    role: Role
    name: str
    last4: str
    created_at: datetime
    revoked_at: datetime | None


class Keys:
    """Who holds which key, asked of the database at most every two seconds a key."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._known: OrderedDict[bytes, tuple[float, Holder]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()

    async def holder(self, key: bytes) -> Holder:
        hashed = hash_of(key)
        now = monotonic()
        known = self._known.get(hashed)
        if known is not None and now < known[0]:
            return known[1]
        if now < self._unknown.get(hashed, now):
            raise _refusal()
        holder = await _holder(self.pool, hashed)
        if holder is None:
            self._known.pop(hashed, None)
            self._unknown[hashed] = now + BELIEVED_SECONDS
            if len(self._unknown) > UNKNOWN_MAX:
                self._unknown.popitem(last=False)
            raise _refusal()
        self._unknown.pop(hashed, None)
        self._known[hashed] = (now + BELIEVED_SECONDS, holder)
        if len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return holder


def hash_of(key: bytes) -> bytes:
    return sha256(key).digest()


async def still_open(pool: Pool, hashes: Collection[bytes]) -> set[bytes]:
    """Which of these keys, by their hashes, have not been revoked."""
    rows = await pool.fetch(
        "SELECT key_hash FROM sys.api_key WHERE key_hash = ANY ($1) AND revoked_at IS NULL",
        list(hashes),
    )
    return {row["key_hash"] for row in rows}


async def create(pool: Pool, ledger: str, actor: str, role: Role, name: str) -> tuple[UUID, str]:
    """A new key, which is told here and never again."""
    await _refuse_alike(pool, ledger, actor)
    key = PREFIX + token_urlsafe(KEY_BYTES)
    return await _keep(pool, key, ledger, actor, role, name), key


async def all(pool: Pool) -> list[ApiKey]:
    rows = await pool.fetch(
        "SELECT id, ledger, actor, role, name, last4, created_at, revoked_at"
        " FROM sys.api_key ORDER BY created_at, id"
    )
    return [ApiKey(row[0], row[1], row[2], Role(row[3]), *row[4:]) for row in map(tuple, rows)]


async def ledgers(pool: Pool) -> list[str]:
    """Those that somebody has a key to."""
    rows = await pool.fetch(
        "SELECT DISTINCT ledger FROM sys.api_key WHERE revoked_at IS NULL ORDER BY ledger"
    )
    return [row["ledger"] for row in rows]


async def revoke(pool: Pool, id: UUID) -> None:
    """Close what the key opens, within two seconds; revoking it again changes nothing."""
    row = await pool.fetchrow(
        "UPDATE sys.api_key SET revoked_at = coalesce(revoked_at, now())"
        " WHERE id = $1 RETURNING id",
        id,
    )
    if row is None:
        raise NotFound("key-not-found", f"there is no key {id}; `casecore keys list` names them")


async def ensure_admin(pool: Pool, path: Path) -> str:
    """See that someone can get in: writes a first admin key to `path`, and says where it is."""
    if (there := _read(path)) and await _holder(pool, hash_of(there)):
        return f"the admin key is in {path}"
    if await pool.fetchval(
        "SELECT EXISTS (SELECT FROM sys.api_key WHERE role = 'admin' AND revoked_at IS NULL)"
    ):
        return (
            f"an admin key was made before, and {path} does not hold it; make another with"
            " `casecore keys create --role admin --actor admin`"
        )
    key = PREFIX + token_urlsafe(KEY_BYTES)
    # First the file: a key that only the database knows would lock everyone out.
    _write(path, key)
    await _keep(pool, key, ADMIN_LEDGER, "admin", Role.ADMIN, ADMIN_NAME)
    return f"a new admin key is in {path}"


async def _refuse_alike(pool: Pool, ledger: str, actor: str) -> None:
    """Agent-1 and agent-1 would count as two people: for a second approval, say."""
    other = await pool.fetchval(
        "SELECT actor FROM sys.api_key"
        " WHERE ledger = $1 AND lower(actor) = lower($2) AND actor <> $2 LIMIT 1",
        ledger,
        actor,
    )
    if other is not None:
        raise Rejected(
            "actor-alike", f"there is a key for {other} already: write it the same", actor=other
        )


def _read(path: Path) -> bytes | None:
    return path.read_bytes().strip() if path.exists() else None


def _write(path: Path, key: str) -> None:
    drafted(path, f"{key}\n".encode()).replace(path)


async def _keep(pool: Pool, key: str, ledger: str, actor: str, role: Role, name: str) -> UUID:
    if role is Role.SYSTEM:
        raise Rejected("role-forbidden", "the role system is casecore itself: no key carries it")
    id = uuids.uuid7()
    await pool.execute(
        "INSERT INTO sys.api_key (id, ledger, actor, role, name, key_hash, last4)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id,
        ledger,
        actor,
        role.value,
        name,
        hash_of(key.encode()),
        key[-4:],
    )
    return id


async def _holder(pool: Pool, hashed: bytes) -> Holder | None:
    row = await pool.fetchrow(
        "SELECT ledger, actor, role FROM sys.api_key WHERE key_hash = $1 AND revoked_at IS NULL",
        hashed,
    )
    return Holder(row["ledger"], Actor(row["actor"], Role(row["role"]))) if row else None


def _refusal() -> Unauthenticated:
    return Unauthenticated("unauthenticated", "this API key is unknown or was revoked")
