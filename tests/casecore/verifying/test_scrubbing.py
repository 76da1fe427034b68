"""The ledger is gone through while casecore serves, and what was found is kept."""

import asyncio

import pytest

from casecore.appender import Appender
from casecore.proof.sealed import SealedLedger
from casecore.proof.sealing import Sealing
from casecore.verifying import scrubbing
from casecore.verifying.scrubbing import Scrubber, verdict
from tests.casecore.verifying.conftest import Tamper
from tests.casecore.verifying.test_tampering import PLANT
from tests.casecore.writing import Stream, asking

SOON = 20.0


@pytest.fixture
def scrubber(ledger: SealedLedger, sealing: Sealing) -> Scrubber:
    return Scrubber(ledger, sealing)


async def test_nothing_is_known_until_all_was_gone_through_once(
    sealed: list[Stream], scrubber: Scrubber, ledger: SealedLedger
) -> None:
    assert (await verdict(ledger.pool, ledger.id)).state == "unknown"
    told = await scrubber.run(pause=0)
    assert (told.state, told.position, told.passed_upto) == ("sound", 600, 600)
    assert await verdict(ledger.pool, ledger.id) == told


async def test_what_is_wrong_is_known_until_a_pass_finds_nothing(
    sealed: list[Stream],
    scrubber: Scrubber,
    ledger: SealedLedger,
    tamper: Tamper,
    caplog: pytest.LogCaptureFixture,
) -> None:
    change = "UPDATE es.event SET data = set_byte(data, 5, get_byte(data, 5) # 1)"
    await tamper(f"{change} WHERE position IN (77, 590)")
    found = await scrubber.run(pause=0)
    assert found.finding is not None
    assert caplog.messages == [f"{found.finding.sentence}. {found.finding.means}"]
    assert (found.state, found.finding.code, found.finding.position) == (
        "wrong",
        "data-changed",
        77,
    )
    assert await verdict(ledger.pool, ledger.id) == found
    again = await scrubber.run(pause=0)
    assert (again.finding, again.found_at) == (found.finding, found.found_at)
    await tamper(f"{change} WHERE position IN (77, 590)")
    assert (await scrubber.run(pause=0)).state == "sound"


@pytest.mark.parametrize("position", [-1, 601])
async def test_an_event_outside_of_the_ledger_is_found_too(
    sealed: list[Stream], scrubber: Scrubber, tamper: Tamper, position: int
) -> None:
    await tamper(PLANT.format(position))
    assert (await scrubber.run(pause=0)).state == "wrong"


@pytest.mark.parametrize("table", ["proof.tile", "proof.checkpoint"])
async def test_a_proof_that_was_changed_is_found_too(
    sealed: list[Stream], scrubber: Scrubber, tamper: Tamper, table: str
) -> None:
    column = "hashes" if table == "proof.tile" else "root"
    await tamper(f"UPDATE {table} SET {column} = set_byte({column}, 9, 7)")
    assert (await scrubber.run(pause=0)).state == "wrong"


async def test_whoever_is_next_goes_on_where_the_last_one_stopped(
    sealed: list[Stream],
    scrubber: Scrubber,
    ledger: SealedLedger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrubbing, "EVENTS_AT_ONCE", 256)
    monkeypatch.setattr(scrubbing, "KEEP_SECONDS", 0.0)
    stopped = asyncio.create_task(scrubber.run(pause=SOON))
    async with asyncio.timeout(SOON):
        while (await verdict(ledger.pool, ledger.id)).position < 256:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    stopped.cancel()
    half = await verdict(ledger.pool, ledger.id)
    assert (half.state, half.position, half.upto) == ("unknown", 256, 600)
    done = await Scrubber(ledger, scrubber.sealing).run(pause=0)
    assert (done.state, done.began_at) == ("sound", half.began_at)


async def test_it_is_done_while_casecore_stays(
    sealed: list[Stream],
    scrubber: Scrubber,
    ledger: SealedLedger,
    appender: Appender,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scrubbing, "PASS_SECONDS_MIN", 0.0)
    scrubber.start(database_url)
    await appender.append(asking(Stream(), events=3))
    async with asyncio.timeout(SOON):
        while (await verdict(ledger.pool, ledger.id)).passed_upto != 603:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await scrubber.close()
    assert (await verdict(ledger.pool, ledger.id)).state == "sound"
