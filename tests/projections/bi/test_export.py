"""Files of all tables: as of one position, whole, and what the views say."""

import asyncio
import csv
import errno
import os
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from casecore.case.events.goodwill import GoodwillOffered
from casecore.case.events.intake import NoteAdded
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.promises import PromiseMade
from casecore.database import Pool
from casecore.errors import Unavailable
from casecore.following.feed import Feed
from casecore.money import Money
from casecore.recorder import Recorder
from projections import PROJECTIONS, files
from projections.bi import VIEWS
from projections.bi import export as exporting
from projections.bi.export import ExportError, Manifest, export
from projections.files import Format
from tests.projections.bi.following import seen
from tests.spec import ADA, NOON, registered
from tests.telling import Telling


async def written(
    pool: Pool, recorder: Recorder, folder: Path, format: Format = "parquet", *, force: bool = False
) -> Manifest:
    feed = Feed(pool, recorder, PROJECTIONS)
    return await export(
        *(pool, recorder.id, recorder.ledger, folder, format), catch_up=feed.catch_up, force=force
    )


@pytest.fixture
async def telling(pool: Pool) -> Telling:
    telling = await Telling.into(pool)
    for number in range(3):
        await telling.tell(
            UUID(int=number),
            registered,
            CaseAssigned("ada", "claim"),
            PromiseMade("p1", "update", "News, and “more”,\nsoon", NOON, "ada"),
            GoodwillOffered("g1", "gift", "distress", Money(10**15, "EUR"), 1, NOON),
            by=ADA,
        )
    return telling


async def test_parquet_has_the_rows_types_and_comments_of_the_views(
    pool: Pool, telling: Telling, tmp_path: Path
) -> None:
    folder = tmp_path / "a" / "b"
    manifest = await written(pool, telling.recorder, folder)
    assert manifest.position == await telling.recorder.head()
    for name, rows in (await seen(pool, telling.recorder.id)).items():
        table = parquet.read_table(folder / f"{name}.parquet")
        found = {tuple(row.values()) for row in table.to_pylist()}
        assert found == {
            tuple(str(v) if isinstance(v, UUID) else v for v in row.values()) for row in rows
        }
    goodwill = parquet.read_schema(folder / "goodwill_fact.parquet")
    assert goodwill.field("amount_minor").type == pa.int64()
    assert goodwill.field("offered_at").type == pa.timestamp("us", "UTC")
    assert b"smallest unit" in goodwill.field("amount_minor").metadata[b"comment"]


async def test_csv_has_a_line_for_each_row(pool: Pool, telling: Telling, tmp_path: Path) -> None:
    manifest = await written(pool, telling.recorder, tmp_path, "csv")
    for view, file in zip(VIEWS, manifest.files, strict=True):
        with (tmp_path / file.file).open(newline="") as lines:
            head, *rows = csv.reader(lines)
        assert head == [column.name for column in view.columns]
        assert len(rows) == file.rows
    with (tmp_path / "promise_fact.csv").open(newline="") as lines:
        promise = next(csv.DictReader(lines))
    assert (promise["due_at"], promise["is_kept"]) == ("2026-03-02 12:00:00.000000Z", "")


async def test_the_manifest_names_every_file_whole(
    pool: Pool, telling: Telling, tmp_path: Path
) -> None:
    manifest = await written(pool, telling.recorder, tmp_path)
    stored = (tmp_path / "manifest.json").read_bytes()
    assert msgspec.json.decode(stored, type=Manifest) == manifest
    for file in manifest.files:
        assert sha256((tmp_path / file.file).read_bytes()).hexdigest() == file.sha256
    assert {*os.listdir(tmp_path)} == {
        "manifest.json",
        *(file.file for file in manifest.files),
    }


async def test_all_files_are_as_of_one_position_while_much_is_written(
    pool: Pool, telling: Telling, tmp_path: Path
) -> None:
    feed = Feed(pool, telling.recorder, PROJECTIONS)
    await feed.start()

    async def writing() -> None:
        while True:
            case_id = uuid4()
            await telling.tell(case_id, registered)
            for number in range(1, 5):
                promise = PromiseMade(f"p{number}", "update", "News", NOON, "ada")
                await telling.tell(case_id, promise, NoteAdded(f"n{number}", "?"))
                await asyncio.sleep(0.002)

    writer = asyncio.create_task(writing())
    try:
        for number in range(2):
            folder = tmp_path / str(number)
            manifest = await export(
                *(pool, telling.recorder.id, "main", folder, "parquet"), catch_up=feed.catch_up
            )
            tables = {
                view.name: parquet.read_table(folder / f"{view.name}.parquet") for view in VIEWS
            }
            events = tables["event_fact"]
            assert sorted(events["position"].to_pylist()) == [*range(1, manifest.position + 1)]
            told = events["activity"].to_pylist()
            assert told.count("CaseRegistered") == tables["case_fact"].num_rows
            assert told.count("PromiseMade") == tables["promise_fact"].num_rows
            for name in ("case_fact", "event_fact", "promise_fact", "goodwill_fact", "agent_day"):
                assert {*tables[name]["as_of_position"].to_pylist()} == {manifest.position}
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        await feed.close()


async def test_rows_are_read_some_at_a_time(
    pool: Pool, telling: Telling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROWS_MAX", 5)
    manifest = await written(pool, telling.recorder, tmp_path)
    events = next(file for file in manifest.files if file.table == "event_fact")
    assert events.rows == 12
    assert parquet.ParquetFile(tmp_path / events.file).num_row_groups == 3


async def test_read_models_that_never_agree_are_not_exported(
    pool: Pool, telling: Telling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "PAUSE_SECONDS", 0)
    await Feed(pool, telling.recorder, PROJECTIONS).catch_up()
    await pool.execute("UPDATE ops.shard SET position = 1 WHERE name = 'cases'")

    async def lag() -> None:
        pass

    with pytest.raises(Unavailable, match="try again when there is less to do"):
        await export(pool, telling.recorder.id, "main", tmp_path, "csv", catch_up=lag)
    assert os.listdir(tmp_path) == []


async def test_what_could_not_be_written_to_the_end_leaves_nothing(
    pool: Pool, telling: Telling, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        (tmp_path / "case_fact.parquet.part").touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exporting, "write", full)
    with pytest.raises(ExportError, match="No space left"):
        await written(pool, telling.recorder, tmp_path)
    assert os.listdir(tmp_path) == []


async def test_a_folder_with_something_in_it_is_left_alone_unless_forced(
    pool: Pool, telling: Telling, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ExportError, match="--force"):
        await written(pool, telling.recorder, tmp_path)
    await written(pool, telling.recorder, tmp_path, "csv", force=True)
    await written(pool, telling.recorder, tmp_path, "parquet", force=True)
    assert (tmp_path / "letter.txt").read_text() == "mine"
    assert not [name for name in os.listdir(tmp_path) if name.endswith((".csv", ".part"))]


async def test_a_folder_that_cannot_be_written_is_told_of(
    pool: Pool, telling: Telling, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="cannot write into"):
        await written(pool, telling.recorder, tmp_path / "file")


async def test_an_empty_ledger_has_empty_tables(
    pool: Pool, recorder: Recorder, tmp_path: Path
) -> None:
    manifest = await written(pool, recorder, tmp_path)
    assert manifest.position == 0
    assert {file.rows for file in manifest.files if file.table != "dim_ledger"} == {0}
