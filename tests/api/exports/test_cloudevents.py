"""The whole ledger as lines: complete, and back as it was or not at all."""

import gzip
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from api.exports.running import gzipped
from api.imports.cloudevents import restored
from casecore.actors import Actor, Role
from casecore.appender import Appender
from casecore.case.decisions.intake import AddNote
from casecore.case.state import Case
from casecore.core import Core, Key
from casecore.database import Pool, ledger_id
from casecore.errors import CaseError, Forbidden, Rejected
from casecore.recorder import Recorder
from tests.api.exports.conftest import LEDGER
from tests.api.exports.exporting import exported, whole

BY = Actor("ada", Role.SUPERVISOR)
NOTE = AddNote(text="Hello")


async def restore(pool: Pool, raw: bytes, *, ledger: str = LEDGER, keep: bool = True) -> int:
    file = io.BufferedReader(io.BytesIO(raw))
    return await restored(pool, ledger, file, lambda _: None, keep=keep)


async def refused(pool: Pool, raw: bytes, ledger: str = LEDGER) -> CaseError:
    with pytest.raises(CaseError) as raised:
        await restore(pool, raw, ledger=ledger)
    assert await nothing_there(pool)
    return raised.value


async def nothing_there(pool: Pool) -> bool:
    there = [await table(pool, name, "1") for name in ("event", "command")]
    ledger = await table(pool, "ledger", "last_position")
    return there == [[], []] and ledger in ([], [(0,)])


async def table(pool: Pool, name: str, columns: str) -> list[Any]:
    rows = await pool.fetch(
        f"SELECT {columns} FROM es.{name}"
        " WHERE ledger = (SELECT ledger FROM es.ledger WHERE name = $1) ORDER BY 1",
        LEDGER,
    )
    return [tuple(row) for row in rows]


async def commands(pool: Pool) -> list[Any]:
    """Those that led to events: of the others, no event tells."""
    columns = "position, command_id, version, written, recorded_at"
    return [row for row in await table(pool, "command", columns) if row[3]]


async def test_a_ledger_comes_back_as_it_was(day: Core, elsewhere: Pool) -> None:
    raw = await exported(day.recorder, "cloudevents")
    events = await restore(elsewhere, raw)
    assert events == raw.count(b"\n") == await day.recorder.head() > 500
    there = day.recorder.pool
    envelope = "position, stream_id, version, recorded_at, command_id, type, slot"
    for name, columns in (
        ("event", f"{envelope}, data_hash, head, meta, data"),
        ("ledger", "name, last_position, last_at"),
    ):
        assert await table(elsewhere, name, columns) == await table(there, name, columns)
    assert await commands(elsewhere) == await commands(there)
    recorder = Recorder(elsewhere, await ledger_id(elsewhere, LEDGER), LEDGER)
    assert await exported(recorder, "cloudevents") == raw


async def test_a_restored_ledger_goes_on(morning: Core, elsewhere: Pool) -> None:
    raw = await exported(morning.recorder, "cloudevents")
    head = await restore(elsewhere, raw)
    id = await ledger_id(elsewhere, LEDGER)
    appender = Appender(elsewhere, id)
    core = Core(Recorder(elsewhere, id, LEDGER), appender)
    [row] = await core.recorder.read(0, 1, types=["CaseRegistered"])
    written = await core.execute(Case, row.stream_id, NOTE, by=BY)
    assert written.position == head + 1
    await appender.close()


async def test_a_request_from_before_is_not_carried_out_again(
    morning: Core, elsewhere: Pool
) -> None:
    [row] = await morning.recorder.read(0, 1, types=["CaseRegistered"])
    key = Key.of(BY, "once", row.stream_id, [NOTE])
    await morning.execute(Case, row.stream_id, NOTE, by=BY, key=key)
    head = await restore(elsewhere, await exported(morning.recorder, "cloudevents"))
    id = await ledger_id(elsewhere, LEDGER)
    appender = Appender(elsewhere, id)
    core = Core(Recorder(elsewhere, id, LEDGER), appender)
    with pytest.raises(Rejected) as raised:
        await core.execute(Case, row.stream_id, NOTE, by=BY, key=key)
    assert raised.value.code == "idempotency-key-reuse"
    assert await core.recorder.head() == head
    await appender.close()


async def test_what_was_packed_comes_back_too(morning: Core, elsewhere: Pool) -> None:
    raw = await exported(morning.recorder, "cloudevents")

    async def chunks() -> Any:
        yield raw

    packed = await whole(gzipped(chunks()))
    assert gzip.decompress(packed) == raw
    error = await refused(elsewhere, packed[:-100])
    assert error.code == "file-cut-off"
    await restore(elsewhere, packed)


async def test_a_ledger_that_has_events_is_not_restored(morning: Core, pool: Pool) -> None:
    with pytest.raises(Rejected) as raised:
        await restore(pool, await exported(morning.recorder, "cloudevents"))
    assert raised.value.code == "ledger-not-empty"


async def test_a_rehearsal_checks_all_and_keeps_nothing(morning: Core, elsewhere: Pool) -> None:
    raw = await exported(morning.recorder, "cloudevents")
    assert await restore(elsewhere, raw, keep=False) == await morning.recorder.head()
    assert await nothing_there(elsewhere)


async def test_an_empty_file_is_an_empty_ledger(elsewhere: Pool) -> None:
    assert await restore(elsewhere, b"") == 0


def changed(name: str, change: Callable[[Any], Any]) -> Callable[[list[bytes]], list[bytes]]:
    def tamper(lines: list[bytes]) -> list[bytes]:
        event = json.loads(lines[99])
        event[name] = change(event[name])
        return [*lines[:99], json.dumps(event, separators=(",", ":")).encode(), *lines[100:]]

    return tamper


@pytest.mark.parametrize(
    ("tamper", "number", "why"),
    [
        (changed("data", lambda data: data | {"text": "else"}), 100, "its data are not those"),
        (changed("datahash", lambda hash: "00" + hash[2:]), 100, "its data are not those"),
        (changed("meta", lambda meta: meta.replace("{", "{ ", 1)), 100, "its head does not follow"),
        (changed("type", lambda type: type + "s"), 100, "its head does not follow"),
        (changed("commandid", lambda id: id[:-4] + "0000"), 100, "its head does not follow"),
        (changed("head", lambda head: head[:-2] + "00"), 100, "its head does not follow"),
        (changed("head", lambda head: "00" + head[2:]), 100, "its id does not go with"),
        (changed("actor", lambda actor: actor + "s"), 100, "its actor does not go with"),
        (changed("time", lambda _: "2025-11-03T09:00:00Z"), 100, "its time does not go with"),
        (changed("version", lambda version: version + 1), 100, "it has version"),
        (changed("position", lambda position: position + 1), 100, "it has position 101"),
        (changed("recordedat", lambda _: "2020-01-01T00:00:00Z"), 100, "it was recorded before"),
        (changed("datahash", lambda hash: hash + "zz"), 100, "it tells no event"),
        (lambda lines: [*lines[:99], *lines[100:]], 100, "it has position 101"),
        (lambda lines: [*lines[:99], lines[99], *lines[99:]], 101, "it has position 100"),
        (lambda lines: [*lines[:99], b"", *lines[99:]], 100, "it tells no event"),
        (lambda lines: [*lines[:-1], lines[-1][:50]], None, "it tells no event"),
    ],
)
async def test_the_first_line_that_is_wrong_is_named_and_nothing_comes_in(
    morning: Core,
    elsewhere: Pool,
    tamper: Callable[[list[bytes]], list[bytes]],
    number: int | None,
    why: str,
) -> None:
    lines = (await exported(morning.recorder, "cloudevents")).splitlines()
    error = await refused(elsewhere, b"\n".join(tamper(lines)) + b"\n")
    assert error.code == "line-wrong"
    assert f"line {number or len(lines)}: {why}" in str(error)


async def test_a_change_far_into_the_file_is_found_in_its_stream(
    morning: Core, elsewhere: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.imports.cloudevents.LINES_AT_ONCE", 50)
    lines = (await exported(morning.recorder, "cloudevents")).splitlines()
    events = [json.loads(line) for line in lines]
    # Two of one stream, each valid by itself, in the other order.
    first = next(n for n, event in enumerate(events) if n > 50 and event["version"] == 2)
    stream = events[first]["subject"]
    second = next(n for n in range(first + 1, len(events)) if events[n]["subject"] == stream)
    swapped = [dict(events[second]), dict(events[first])]
    for event, place in zip(swapped, (first, second), strict=True):
        event["position"] = place + 1
        event["recordedat"] = events[place]["recordedat"]
        lines[place] = json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
    error = await refused(elsewhere, b"\n".join(lines) + b"\n")
    assert f"line {first + 1}: it has version" in str(error)


async def test_the_chain_is_followed_from_one_batch_to_the_next(
    morning: Core, elsewhere: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.imports.cloudevents.LINES_AT_ONCE", 3)
    raw = await exported(morning.recorder, "cloudevents")
    await restore(elsewhere, raw)
    assert await commands(elsewhere) == await commands(morning.recorder.pool)


async def test_another_name_is_refused_with_the_right_one(morning: Core, elsewhere: Pool) -> None:
    error = await refused(
        elsewhere, await exported(morning.recorder, "cloudevents"), ledger="other"
    )
    assert error.code == "other-ledger"
    assert f"--ledger {LEDGER}" in str(error)


async def test_part_of_a_ledger_goes_out_and_does_not_come_in(
    morning: Core, elsewhere: Pool
) -> None:
    [_, row] = await morning.recorder.read(0, 2, types=["CaseRegistered"])
    raw = await exported(morning.recorder, "cloudevents", case_ids=frozenset({row.stream_id}))
    subjects = {json.loads(line)["subject"] for line in raw.splitlines()}
    assert str(row.stream_id) in subjects
    assert "it has position" in str(await refused(elsewhere, raw))


async def test_as_of_a_position_only_what_is_before_it_goes_out(morning: Core) -> None:
    raw = await exported(morning.recorder, "cloudevents")
    part = await exported(morning.recorder, "cloudevents", at_position=100)
    assert part == b"".join(raw.splitlines(keepends=True)[:100])


async def test_only_the_owner_of_the_tables_restores(morning: Core, elsewhere: Pool) -> None:
    raw = await exported(morning.recorder, "cloudevents")
    await elsewhere.execute(
        """
        CREATE ROLE reader_of_exports;
        GRANT USAGE ON SCHEMA es TO reader_of_exports;
        GRANT SELECT ON ALL TABLES IN SCHEMA es TO reader_of_exports;
        GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA es TO reader_of_exports;
        """
    )
    try:
        async with elsewhere.acquire() as connection:
            await connection.execute("SET SESSION AUTHORIZATION reader_of_exports")
        assert elsewhere.get_size() == 1
        with pytest.raises(Forbidden, match="casecore migrate"):
            await restore(elsewhere, raw)
    finally:
        await elsewhere.execute(
            "RESET SESSION AUTHORIZATION; DROP OWNED BY reader_of_exports;"
            " DROP ROLE reader_of_exports"
        )
