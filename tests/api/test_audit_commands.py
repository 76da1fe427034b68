"""casecore audit, as it is typed."""

import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from casecore import embedded
from casecore.proof.notes import Head, SealingKey, VerifierKey
from tests.api.test_command_line import Shell


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("audited") / "var")
    with embedded.start(shell.data_dir) as postgres:
        shell.environ["CASECORE_DATABASE_URL"] = postgres.url
        shell.run("policy", "publish", "--pack", "desk")
        yield shell


def verifier(shell: Shell) -> VerifierKey:
    kept = shell.data_dir / "checkpoints" / "main" / "sealing.pub"
    return VerifierKey.of(kept.read_text().strip())


def test_a_checkpoint_is_sealed_printed_and_kept(shell: Shell) -> None:
    note, _ = shell.run("audit", "checkpoint", "--seal")
    head = verifier(shell).opened(note)
    assert head.size > 1
    folder = shell.data_dir / "checkpoints" / "main"
    assert (folder / "latest.note").read_text() == note
    assert (folder / f"{head.size:020}.note").read_text() == note
    assert shell.run("audit", "checkpoint")[0] == note
    assert shell.json("audit", "checkpoint")["note"] == note


def test_checkpoints_also_go_to_a_second_place(shell: Shell, tmp_path: Path) -> None:
    words = ("audit", "checkpoint", "--seal")
    note, _ = shell.run(*words, CASECORE_CHECKPOINTS_TO=str(tmp_path))
    assert (tmp_path / "main" / "latest.note").read_text() == note


def test_the_key_may_lie_elsewhere(shell: Shell, tmp_path: Path) -> None:
    key = tmp_path / "keys" / "my.key"
    folder = tmp_path / "var"
    elsewhere = {"CASECORE_SEALING_KEY": str(key), "CASECORE_LEDGER": "other"}
    shell.run("policy", "publish", "--pack", "desk", "--ledger", "other")
    note, _ = shell.run("audit", "checkpoint", "--seal", **elsewhere)
    assert SealingKey.read(key).verifier("casecore/other").opened(note).size
    assert not folder.exists()
    key.write_text("broken")
    shell.run("audit", "checkpoint", "--seal", exits=1, **elsewhere)
    shell.run("audit", "checkpoint", **elsewhere)


def test_an_event_is_proven(shell: Shell) -> None:
    shell.run("audit", "checkpoint", "--seal")
    told, _ = shell.run("audit", "proof", "1")
    assert "version 1 of" in told
    assert "— casecore/main" in told
    shown = shell.json("audit", "proof", "1")
    assert shown["position"] == 1
    assert shown["leaf"] in told
    _, complaint = shell.run("audit", "proof", "999999", exits=1)
    assert "position 999999 is not under the checkpoint" in complaint
    assert "--size" in shell.run("audit", "proof", "1", "--size", "0", exits=2)[1]


def test_a_ledger_that_agrees_needs_no_accepting(shell: Shell) -> None:
    _, complaint = shell.run("audit", "accept-restore", "--reason", "Why not", exits=1)
    assert "there is nothing to accept" in " ".join(complaint.split())
    assert "--reason" in shell.run("audit", "accept-restore", exits=2)[1]
    assert "say why" in shell.run("audit", "accept-restore", "--reason", " ", exits=2)[1]


def test_a_restored_backup_is_read_refused_and_accepted(shell: Shell) -> None:
    note, _ = shell.run("audit", "checkpoint", "--seal")
    head = verifier(shell).opened(note)
    folder = shell.data_dir / "checkpoints" / "main"
    key = SealingKey.read(shell.data_dir / "sealing.key")
    later = key.sign(Head(head.origin, head.size + 5, bytes(32)))
    (folder / f"{head.size + 5:020}.note").write_text(later)
    (folder / "latest.note").write_text(later)

    publish = ("policy", "publish", "--pack", "uk_disp")
    _, complaint = shell.run(*publish, exits=1)
    for told in (f"ends at position {head.size}", "accept-restore --ledger main", "docs/proof.md"):
        assert told in complaint
    assert shell.run("audit", "checkpoint")[0] == note
    shell.run("sla", "show")
    shell.run("audit", "checkpoint", "--seal", exits=1)

    with shell.start("serve", "--port", "0") as server:
        assert server.stdout is not None
        url = next(line.strip() for line in server.stdout if line.startswith("http"))
        with urllib.request.urlopen(f"{url}/v1/health/ready") as ready:
            assert ready.status == 200
        server.send_signal(signal.SIGTERM)
        _, complaint = server.communicate(timeout=60)
    assert complaint.startswith(f"ledger main ends at position {head.size}, but the checkpoint")

    accept = ("audit", "accept-restore", "--by", "olga", "--reason", "Only a test")
    told, _ = shell.run(*accept)
    assert f"up to position {head.size}" in told
    [aside] = folder.glob("before-*")
    assert str(aside) in told
    assert (aside / "latest.note").read_text() == later
    told, _ = shell.run("audit", "verify", exits=2)
    assert "no checkpoint was found outside of it" in told
    assert f"olga accepted it up to position {head.size}" in told
    assert "(ledger-rolled-back): Only a test" in told
    shell.run(*publish)
    assert verifier_after(shell) > head.size
    shell.run("audit", "verify")


def verifier_after(shell: Shell) -> int:
    note, _ = shell.run("audit", "checkpoint", "--seal")
    return verifier(shell).opened(note).size
