"""Whatever is changed behind casecore, verifying names it."""

import pytest

from tests.casecore.verifying.conftest import Tamper, Verify
from tests.casecore.writing import Stream

BYTE = "set_byte({column}, 5, get_byte({column}, 5) # 1)"
SWAP = """
    UPDATE es.event SET position = -position WHERE position IN ({0}, {1});
    UPDATE es.event SET position = CASE position WHEN -{0} THEN {1} ELSE {0} END
    WHERE position < 0
"""


def byte(column: str, table: str = "es.event", where: str = "position = 283") -> str:
    """Change one bit of one byte."""
    return f"UPDATE {table} SET {column} = {BYTE.format(column=column)} WHERE {where}"


def at(change: str) -> str:
    return f"UPDATE es.event SET {change} WHERE position = 283"


REWRITE = r"""
    UPDATE es.event SET data = '{"said":"never"}', data_hash = sha256('{"said":"never"}')
    WHERE position = 283;
    UPDATE es.event e SET head = sha256('\x02'::bytea || before.head || sha256('\x03'::bytea
        || int4send(4) || 'main' || uuid_send(e.stream_id) || int8send(e.version)
        || int4send(octet_length(e.type)) || textsend(e.type) || uuid_send(e.command_id)
        || int4send(octet_length(e.meta)) || e.meta || e.data_hash))
    FROM es.event before
    WHERE e.position = 283 AND before.stream_id = e.stream_id AND before.version = e.version - 1
"""
"""An event written anew, by somebody who knows how heads are made."""

KINDS = {
    "data": (byte("data"), "data-changed", 283),
    "meta": (byte("meta"), "envelope-changed", 283),
    "type": (at("type = 'Sayd'"), "envelope-changed", 283),
    "command": (at("command_id = gen_random_uuid()"), "envelope-changed", 283),
    "stream": (at("stream_id = gen_random_uuid()"), "version-missing", 283),
    "version": (at("version = 9999"), "version-missing", 283),
    "hash of the data": (byte("data_hash"), "data-hash-changed", 283),
    "head": (byte("head"), "head-changed", 283),
    "all of an event": (REWRITE, "event-rewritten", 283),
    "slot": (at("slot = slot # 1"), "slot-changed", 283),
    "time": (at("recorded_at = recorded_at + interval '1 us'"), "time-changed", 283),
    "time, far": (at("recorded_at = recorded_at - interval '1 h'"), "time-changed", 283),
    "order": (SWAP.format(283, 284), "order-changed", 283),
    "order of streams": (SWAP.format(300, 301), "order-changed", 300),
    "order, far apart": (SWAP.format(10, 590), "order-changed", 10),
    "an event": ("DELETE FROM es.event WHERE position = 283", "event-missing", 283),
    "the last event": ("DELETE FROM es.event WHERE position = 600", "end-missing", 600),
    "the last event, and the count of it": (
        "DELETE FROM es.event WHERE position = 600; UPDATE es.ledger SET last_position = 599",
        "ledger-rolled-back",
        600,
    ),
    "the count": ("UPDATE es.ledger SET last_position = 590", "ledger-rolled-back", 591),
    "a tile": (
        byte("hashes", "proof.tile", "level = 0 AND number = 1"),
        "tile-changed",
        257,
    ),
    "the tile at the edge": (
        byte("hashes", "proof.tile", "level = 0 AND number = 2"),
        "tile-changed",
        513,
    ),
    "a tile above": (byte("hashes", "proof.tile", "level = 1"), "tile-changed", 1),
    "a tile's end": (
        "UPDATE proof.tile SET hashes = substr(hashes, 1, 320) WHERE number = 1",
        "tile-missing",
        257,
    ),
    "a tile, all of it": ("DELETE FROM proof.tile WHERE number = 0", "tile-missing", 1),
    "a checkpoint's root": (
        byte("root", "proof.checkpoint", "size = 220"),
        "checkpoint-changed",
        220,
    ),
    "a checkpoint's size": (
        "UPDATE proof.checkpoint SET size = 700 WHERE size = 600",
        "checkpoint-changed",
        700,
    ),
    "a checkpoint's note": (
        "UPDATE proof.checkpoint SET note = replace(note, E'\n220\n', E'\n221\n') WHERE size = 220",
        "checkpoint-changed",
        220,
    ),
}


@pytest.mark.parametrize(("change", "code", "position"), KINDS.values(), ids=KINDS)
async def test_one_thing_changed_is_found_and_named(
    sealed: list[Stream],
    tamper: Tamper,
    verifying: Verify,
    change: str,
    code: str,
    position: int,
) -> None:
    assert (await verifying()).findings == ()
    await tamper(change)
    found = (await verifying()).findings
    assert (found[0].code, found[0].position) == (code, position), found
    assert found[0].means


@pytest.mark.parametrize(
    "kind", ["data", "meta", "head", "time", "all of an event", "hash of the data"]
)
async def test_an_event_that_is_as_it_was_is_not_named_beside_one_that_is_not(
    sealed: list[Stream], tamper: Tamper, verifying: Verify, kind: str
) -> None:
    await tamper(KINDS[kind][0])
    assert len((await verifying()).findings) == 1
