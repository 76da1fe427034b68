"""The proof over HTTP, checked by hand: with SHA-256 and Ed25519, and nothing of ours."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from litestar import Litestar

from api.app import create_app
from api.desk import Desk, Desks
from casecore.actors import Role
from casecore.proof.notes import Head, SealingKey
from casecore.proof.sealing import ProofSettings
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered
from tests.casecore.verifying.conftest import Tamper
from tests.casecore.verifying.conftest import tamper as tamper

Json = dict[str, Any]


@pytest.fixture
def given(tmp_path: Path) -> ProofSettings:
    return ProofSettings(tmp_path / "sealing.key", (tmp_path / "checkpoints",))


@pytest.fixture
async def desks(database_url: str, given: ProofSettings) -> AsyncIterator[Desks]:
    async with Desks.open(database_url, proof=given) as desks:
        yield desks


@pytest.fixture
def app(desks: Desks) -> Litestar:
    return create_app(desks)


@pytest.fixture
async def desk(desks: Desks) -> Desk:
    return await desks.desk("main")


@pytest.fixture
async def auditor(login: Login) -> Client:
    return await login(Role.AUDITOR, "iris")


async def seal(desk: Desk) -> int:
    assert desk.sealing is not None
    sealed = await desk.sealing.seal_now()
    assert sealed is not None
    return sealed.size


def signed(note: str, key: str) -> tuple[int, bytes]:
    """The size and root of a note, its signature checked."""
    text, _, signatures = note.rpartition("\n\n")
    name, id, public = key.strip().split("+", 2)
    [line] = signatures.splitlines()
    assert line.startswith(f"— {name} ")
    signature = b64decode(line.rpartition(" ")[2])
    assert signature[:4].hex() == id
    Ed25519PublicKey.from_public_bytes(b64decode(public)[1:]).verify(
        signature[4:], f"{text}\n".encode()
    )
    origin, size, root = text.splitlines()
    assert origin == name == "casecore/main"
    return int(size), b64decode(root)


def root_over(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """RFC 9162, 2.1.3.2."""
    last, reckoned = size - 1, leaf
    for beside in proof:
        if index % 2 or index == last:
            reckoned = sha256(b"\x01" + beside + reckoned).digest()
            while index and not index % 2:
                index, last = index // 2, last // 2
        else:
            reckoned = sha256(b"\x01" + reckoned + beside).digest()
        index, last = index // 2, last // 2
    assert last == 0
    return reckoned


def sized(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


async def test_an_event_is_proven_with_sha_256_and_ed25519_alone(
    admin: Client, auditor: Client, desk: Desk
) -> None:
    cases = [await registered(admin) for _ in range(5)]
    size = await seal(desk)
    key = (await auditor.get("/v1/proof/key")).text
    answer = await auditor.get("/v1/proof/checkpoint")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert signed(answer.text, key)[0] == size
    as_json = (await auditor.get("/v1/proof/checkpoint?format=json")).json()
    assert as_json["note"] == answer.text

    history = (await auditor.get(f"{cases[2]}/history")).json()["items"]
    for told in history:
        answer = await auditor.get("/v1/proof/inclusion", params={"position": told["position"]})
        shown: Json = answer.json()
        size, root = signed(shown["checkpoint"]["note"], key)
        event = shown["event"]
        core = sha256(
            b"\x03"
            + sized(event["ledger"].encode())
            + bytes.fromhex(event["stream_id"].replace("-", ""))
            + event["version"].to_bytes(8, "big")
            + sized(event["type"].encode())
            + bytes.fromhex(event["command_id"].replace("-", ""))
            + sized(b64decode(event["meta"]))
            + b64decode(event["data_hash"])
        ).digest()
        entry = b64decode(shown["entry"])
        assert entry[:64] == core + b64decode(shown["head"])
        assert entry[64:72] == told["position"].to_bytes(8, "big")
        leaf = sha256(b"\x00" + entry).digest()
        assert leaf == b64decode(shown["leaf"])
        proof = [b64decode(hash) for hash in shown["proof"]]
        assert root_over(leaf, told["position"] - 1, size, proof) == root


async def test_that_the_ledger_only_grew_is_proven(
    admin: Client, auditor: Client, desk: Desk
) -> None:
    await registered(admin)
    old = await seal(desk)
    await registered(admin)
    new = await seal(desk)
    before = (await auditor.get(f"/v1/proof/checkpoints/{old}")).json()
    shown = (await auditor.get("/v1/proof/consistency", params={"from": old})).json()
    assert shown["old_root"] == before["root"]
    assert shown["checkpoint"]["size"] == new
    assert shown["proof"] or old == new
    again = await auditor.get("/v1/proof/consistency", params={"from": old, "to": new})
    assert again.json() == shown
    same = (await auditor.get("/v1/proof/consistency", params={"from": new, "to": new})).json()
    assert (same["old_root"], same["proof"]) == (shown["checkpoint"]["root"], [])
    answer = await auditor.get("/v1/proof/consistency", params={"from": new, "to": old})
    assert problem(answer, 404, "position-not-sealed")["field"] == "from"


async def test_tiles_are_served_under_their_names(
    admin: Client, auditor: Client, desk: Desk
) -> None:
    await registered(admin)
    size = await seal(desk)
    tile = await auditor.get(f"/v1/proof/tile/0/000.p/{size}")
    assert tile.headers["Content-Type"] == "application/octet-stream"
    assert len(tile.content) == 32 * size
    assert tile.content[:32] == await desk.sealed.leaves(0, 1)
    for name in ("0/000", f"0/000.p/{size + 1}", "0/x001/000", "1/000.p/1", "0/nothing", "0/0"):
        problem(await auditor.get(f"/v1/proof/tile/{name}"), 404, "tile-not-found")
    long = "/".join(["x999"] * 30)
    problem(await auditor.get(f"/v1/proof/tile/7/{long}/999"), 404, "tile-not-found")
    for level in ("8", "-1", "x"):
        problem(await auditor.get(f"/v1/proof/tile/{level}/000"), 400, "schema-violation")


async def test_what_is_not_there_is_said(admin: Client, auditor: Client, desk: Desk) -> None:
    problem(await auditor.get("/v1/proof/key"), 404, "checkpoint-not-found")
    problem(await auditor.get("/v1/proof/checkpoint"), 404, "checkpoint-not-found")
    await registered(admin)
    size = await seal(desk)
    await registered(admin)
    problem(await auditor.get("/v1/proof/checkpoints/1"), 404, "checkpoint-not-found")
    for asked in ("0", "x", "9" * 30):
        problem(await auditor.get(f"/v1/proof/checkpoints/{asked}"), 400, "schema-violation")
    answer = await auditor.get("/v1/proof/inclusion", params={"position": size + 1})
    problem(answer, 404, "position-not-sealed")
    problem(await auditor.get("/v1/proof/inclusion"), 400, "schema-violation")


async def test_a_service_is_told_the_proof_and_not_who_did_what(
    admin: Client, login: Login, desk: Desk
) -> None:
    await registered(admin)
    await seal(desk)
    mailbox = await login(Role.SERVICE, "mailbox")
    shown = (await mailbox.get("/v1/proof/inclusion?position=1")).json()
    assert shown["event"] is None
    assert shown["proof"]


async def test_a_ledger_that_was_rolled_back_is_read_and_not_written(
    admin: Client, stranger: Client, desk: Desk, given: ProofSettings
) -> None:
    case = await registered(admin)
    await seal(desk)
    assert (await stranger.get("/v1/health/ready")).json() == {"status": "ready"}
    assert desk.sealing is not None
    ahead = SealingKey.read(given.key).sign(Head("casecore/main", 10_000, bytes(32)))
    (given.folders[0] / "main" / "latest.note").write_text(ahead)
    await desk.sealing.guard()
    refused = await admin.post(f"{case}/notes", json={"text": "Hello"})
    told = problem(refused, 503, "ledger-rolled-back")
    assert "accept-restore --ledger main" in told["detail"]
    assert (await admin.get(case)).status_code == 200
    assert (await stranger.get("/v1/health/ready")).status_code == 200
    health = (await stranger.get("/v1/health")).json()
    assert health["status"] == "check-failed"
    assert health["checks"]["sealing"]["told"].startswith("ledger-rolled-back: ")
    await desk.sealing.accept("olga", "A test")
    assert (await admin.post(f"{case}/notes", json={"text": "Hello"})).status_code == 201


async def test_a_case_that_was_changed_is_no_evidence_but_of_that(
    admin: Client, auditor: Client, desk: Desk, tamper: Tamper
) -> None:
    path = f"{await registered(admin)}/bundle"
    await seal(desk)
    assert (await auditor.get(path)).status_code == 200
    await tamper("UPDATE es.event SET data = set_byte(data, 9, 1) WHERE type = 'CaseRegistered'")
    refused = problem(await auditor.get(path), 409, "evidence-wrong")
    assert refused["finding"] == "data-changed"
    assert "ask again with anyway=true" in refused["detail"]
    given = await auditor.get(f"{path}?anyway=true")
    assert given.status_code == 200
    assert given.content.startswith(b"PK")


async def test_what_was_accepted_is_listed_for_auditors(
    admin: Client, auditor: Client, desk: Desk, given: ProofSettings
) -> None:
    await registered(admin)
    await seal(desk)
    assert (await auditor.get("/v1/proof/restores")).json() == {"items": [], "next": None}
    assert desk.sealing is not None
    ahead = SealingKey.read(given.key).sign(Head("casecore/main", 10_000, bytes(32)))
    (given.folders[0] / "main" / "latest.note").write_text(ahead)
    accepted = await desk.sealing.accept("olga", "A test")
    [told] = (await auditor.get("/v1/proof/restores")).json()["items"]
    assert (told["accepted_by"], told["reason"]) == ("olga", "A test")
    assert (told["code"], told["note"]) == ("ledger-rolled-back", ahead)
    assert told["ledger_size"] == accepted.size
    assert b64decode(told["ledger_root"]) == accepted.root


async def test_while_it_stays_it_seals_within_a_second(
    admin: Client, auditor: Client, desks: Desks
) -> None:
    desks.stay()
    written = await admin.post((await registered(admin)) + "/notes", json={"text": "Hello"})
    position = written.json()["position"]
    path = f"/v1/proof/inclusion?position={position}"
    async with asyncio.timeout(5):
        while (await auditor.get(path)).status_code == 404:  # noqa: ASYNC110, nothing tells it
            await asyncio.sleep(0.05)
    assert (await auditor.get(path)).status_code == 200
