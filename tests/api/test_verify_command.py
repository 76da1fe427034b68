"""casecore audit verify, as it is typed: what it says, and what it exits with."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import asyncpg
import pytest

from api.desk import Desks
from api.evidence import verify
from casecore import embedded
from casecore.case.events.intake import NoteAdded
from tests.api.test_command_line import Shell
from tests.spec import CASE_ID, NOON, registered
from tests.telling import Telling


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shell, str]]:
    """A ledger that is sealed, and the address of its database."""
    shell = Shell(tmp_path_factory.mktemp("desk") / "var")
    with embedded.start(shell.data_dir) as postgres:
        asyncio.run(a_case(postgres.url))
        shell.run("audit", "checkpoint", "--seal")
        yield shell, postgres.url


async def a_case(url: str) -> None:
    async with Desks.open(url, following=False) as desks:
        telling = await Telling.into(desks.pool)
        await telling.tell(CASE_ID, registered, at=NOON)
        for number in range(1, 6):
            note = NoteAdded(f"n{number}", "Rang")
            await telling.tell(CASE_ID, note, at=NOON + timedelta(hours=number))


async def tamper(url: str, change: str) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute(
        "ALTER TABLE es.event DISABLE TRIGGER USER; "
        f"UPDATE es.event SET data = set_byte(data, 20, get_byte(data, 20) # {change})"
        " WHERE position = 4"
    )
    await owner.close()


def test_what_is_as_it_was_recorded_exits_with_0(sealed: tuple[Shell, str]) -> None:
    shell, _ = sealed
    told, _ = shell.run("audit", "verify", "--decode")
    assert told.startswith("6 events of ledger main, up to 6\n")
    assert told.endswith("nothing is wrong\n")
    one, _ = shell.run("audit", "verify", "--case", registered.case_ref)
    assert "6 of them under the checkpoint at 6\n" in one
    report = shell.json("audit", "verify", "--jobs", "2")
    assert (report["events"], report["findings"], report["unverified"]) == (6, [], [])


def test_what_was_changed_exits_with_1_and_is_named_with_what_that_means(
    sealed: tuple[Shell, str],
) -> None:
    shell, url = sealed
    asyncio.run(tamper(url, "1"))
    for words in ((), ("--case", str(CASE_ID))):
        told, _ = shell.run("audit", "verify", *words, exits=1)
        assert "\nWRONG: " in told
        assert "position 4" in told
        assert "\nWhat that means: What the event says is not what was recorded.\n" in told
    path = shell.data_dir / "evidence.zip"
    told, complaint = shell.run("audit", "bundle", str(CASE_ID), "-o", str(path), exits=1)
    assert told.startswith(f"{path}: ")
    assert complaint.startswith("WRONG: version 4 ")
    assert "\nWhat that means: What the event says is not what was recorded.\n" in complaint
    [found] = shell.json("audit", "verify", exits=1)["findings"]
    assert (found["code"], found["position"], found["version"]) == ("data-changed", 4, 4)
    asyncio.run(tamper(url, "1"))


def test_since_a_checkpoint_that_was_taken_away_only_what_came_after_is_verified(
    sealed: tuple[Shell, str],
) -> None:
    shell, _ = sealed
    note = shell.data_dir / "mine.note"
    note.write_text(shell.run("audit", "checkpoint")[0])
    key = ("--key", str(shell.data_dir / "checkpoints" / "main" / "sealing.pub"))
    told, _ = shell.run("audit", "verify", "--since", str(note), *key)
    assert told.endswith("nothing is wrong\n")
    assert shell.run("audit", "verify", "--since", "6")[0].endswith("nothing is wrong\n")
    note.write_text(note.read_text().replace("\n6\n", "\n5\n"))
    for since, why in (
        (str(note), "not what casecore/main signed"),
        ("5", "no checkpoint was signed at position 5"),
        ("nowhere.note", "nowhere.note cannot be read"),
    ):
        complaint = shell.run("audit", "verify", "--since", since, exits=2)[1]
        assert complaint.startswith("casecore: it could not be verified: ")
        assert why in complaint


def test_a_case_is_taken_away_and_nothing_is_written_over(sealed: tuple[Shell, str]) -> None:
    shell, _ = sealed
    path = shell.data_dir / "case.zip"
    told, _ = shell.run("audit", "bundle", registered.case_ref, "-o", str(path))
    assert told.startswith(f"{path}: ")
    ran = subprocess.run(
        [sys.executable, "-I", verify.__file__, str(path)], capture_output=True, text=True
    )
    assert ran.stdout.endswith("ALL IS RIGHT\n"), ran.stdout + ran.stderr
    words = ("audit", "bundle", registered.case_ref, "-o")
    assert "is there already" in shell.run(*words, str(path), exits=1)[1]
    assert "cannot be written" in shell.run(*words, "/nowhere/case.zip", exits=1)[1]


def test_a_case_of_a_ledger_that_the_scrubber_found_wrong_is_not_said_to_be_all_there(
    sealed: tuple[Shell, str],
) -> None:
    shell, url = sealed
    asyncio.run(scrubbed(url, {"code": "end-missing", "sentence": "nothing is at 7", "means": ""}))
    cannot = "not verified: that nothing was removed from it: of the ledger as a whole nothing is"
    told, _ = shell.run("audit", "verify", "--case", str(CASE_ID), exits=2)
    assert cannot in told
    path = shell.data_dir / "cut.zip"
    assert cannot in shell.run("audit", "bundle", str(CASE_ID), "-o", str(path))[1]
    asyncio.run(scrubbed(url, None))


async def scrubbed(url: str, finding: dict[str, str] | None) -> None:
    owner = await asyncpg.connect(url)
    await owner.execute("DELETE FROM proof.scrub")
    if finding is not None:
        await owner.execute(
            "INSERT INTO proof.scrub (ledger, position, upto, began_at, looked_at, finding)"
            " SELECT ledger, 6, 6, now(), now(), $1 FROM es.ledger",
            json.dumps(finding),
        )
    await owner.close()


def test_what_cannot_be_verified_exits_with_2(sealed: tuple[Shell, str]) -> None:
    shell, _ = sealed
    told, _ = shell.run("audit", "verify", exits=2, CASECORE_SEALING_KEY="/nowhere/sealing.key")
    assert "not verified: the signatures of the checkpoints" in told
    nobody = ("--case", "00000000-0000-0000-0000-000000000001")
    assert "has no case 00000000" in shell.run("audit", "verify", *nobody, exits=2)[1]
    assert "there is no ledger b" in shell.run("audit", "verify", "--ledger", "b", exits=2)[1]
    assert "leave out --since" in shell.run(
        "audit", "verify", "--case", "C-0", "--since", "6", exits=2
    )[1].replace("\n", " ")
