"""API keys: who may come in, and for how long."""

import os
import stat
from pathlib import Path

import pytest

from api import keys
from api.keys import Keys
from casecore.actors import Role
from casecore.database import Pool
from casecore.errors import NotFound, Rejected, Unauthenticated


async def test_a_key_stands_for_its_actor_and_is_not_kept(pool: Pool) -> None:
    _, key = await keys.create(pool, "main", "ada", Role.AGENT, "laptop")
    holder = await Keys(pool).holder(key.encode())
    assert (holder.ledger, holder.actor.id, holder.actor.role) == ("main", "ada", Role.AGENT)
    rows = await pool.fetch("SELECT * FROM sys.api_key")
    assert key not in str([dict(row) for row in rows])
    [listed] = await keys.all(pool)
    assert (listed.actor, listed.name, listed.last4) == ("ada", "laptop", key[-4:])


async def test_a_revoked_key_opens_nothing_once_it_is_asked_about_again(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "BELIEVED_SECONDS", 0.0)
    id, key = await keys.create(pool, "main", "ada", Role.AGENT, "")
    door = Keys(pool)
    await door.holder(key.encode())
    await keys.revoke(pool, id)
    await keys.revoke(pool, id)
    with pytest.raises(Unauthenticated):
        await door.holder(key.encode())
    [listed] = await keys.all(pool)
    assert listed.revoked_at is not None


async def test_a_key_that_is_believed_is_not_asked_about(pool: Pool) -> None:
    id, key = await keys.create(pool, "main", "ada", Role.AGENT, "")
    door = Keys(pool)
    await door.holder(key.encode())
    await keys.revoke(pool, id)
    assert (await door.holder(key.encode())).actor.id == "ada"


async def test_guessing_fills_no_memory(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "UNKNOWN_MAX", 5)
    door = Keys(pool)
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await door.holder(b"cck_guess-%d" % number)
    assert len(door._unknown) == 5


async def test_no_key_acts_as_casecore_itself(pool: Pool) -> None:
    with pytest.raises(Rejected):
        await keys.create(pool, "main", "casecore", Role.SYSTEM, "")


async def test_one_person_is_not_made_two_by_large_letters(pool: Pool) -> None:
    await keys.create(pool, "main", "agent-1", Role.AGENT, "")
    with pytest.raises(Rejected, match="there is a key for agent-1 already: write it the same"):
        await keys.create(pool, "main", "Agent-1", Role.SUPERVISOR, "")
    await keys.create(pool, "main", "agent-1", Role.SUPERVISOR, "")
    await keys.create(pool, "other", "Agent-1", Role.AGENT, "")


async def test_a_key_that_is_not_there_cannot_be_revoked(pool: Pool) -> None:
    id, _ = await keys.create(pool, "main", "ada", Role.AGENT, "")
    await pool.execute("DELETE FROM sys.api_key")
    with pytest.raises(NotFound):
        await keys.revoke(pool, id)


async def test_the_first_start_writes_an_admin_key_that_only_its_owner_reads(
    pool: Pool, tmp_path: Path
) -> None:
    path = tmp_path / "admin.key"
    assert str(path) in await keys.ensure_admin(pool, path)
    key = path.read_bytes().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (await Keys(pool).holder(key)).actor.role is Role.ADMIN
    assert os.listdir(tmp_path) == [path.name]
    await keys.ensure_admin(pool, path)
    assert path.read_bytes().strip() == key
    assert len(await keys.all(pool)) == 1


async def test_a_lost_admin_key_is_not_replaced_but_said_how_to(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    await keys.ensure_admin(pool, path)
    path.unlink()
    assert "casecore keys create" in await keys.ensure_admin(pool, path)
    assert not path.exists()


async def test_a_key_file_of_another_database_is_replaced(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    path.write_text("cck_of-a-database-that-is-gone\n")
    await keys.ensure_admin(pool, path)
    assert (await Keys(pool).holder(path.read_bytes().strip())).actor.role is Role.ADMIN
