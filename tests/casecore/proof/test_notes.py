"""A checkpoint is a signed note, which others can read; and one changed letter spoils it."""

import stat
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from casecore.errors import Malformed
from casecore.proof.notes import Head, SealingKey, VerifierKey, origin

KEY = SealingKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
NAME = origin("main")
VERIFIER = KEY.verifier(NAME)
HEAD = Head(NAME, 20_852_163, bytes(range(100, 132)))
NOTE = KEY.sign(HEAD)

# The example of C2SP's tlog-checkpoint.
BEHIND_THE_SOFA = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
"""
# The key and note that the documentation of Go's sumdb/note shows.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_TEXT = """If you think cryptography is the answer to your problem,
then you don't know what your problem is.
"""
PETERS = (
    f"{PETERS_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
    "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

heads = st.builds(
    Head, st.just(NAME), st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32)
)


@given(heads)
def test_what_was_signed_is_what_is_read(head: Head) -> None:
    assert VERIFIER.opened(KEY.sign(head)) == head


def test_a_checkpoint_is_written_as_c2sp_has_it() -> None:
    assert Head.of(BEHIND_THE_SOFA).text() == BEHIND_THE_SOFA
    text, _, line = NOTE.partition("\n\n")
    assert text.split("\n") == [NAME, "20852163", "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM="]
    dash, name, encoded = line.split()
    assert (dash, name) == ("—", NAME)
    signature = b64decode(encoded)
    assert signature[:4] == VERIFIER.id
    public = Ed25519PublicKey.from_public_bytes(VERIFIER.public)
    public.verify(signature[4:], f"{text}\n".encode())


def test_a_verifier_key_is_written_and_read_as_elsewhere() -> None:
    assert VerifierKey.of(str(VERIFIER)) == VERIFIER
    peter = VerifierKey.of(PETER)
    assert (peter.name, peter.id.hex()) == ("PeterNeumann", "c74f20a3")
    with pytest.raises(Malformed, match="no origin, or no size"):
        peter.opened(PETERS)  # It is signed well, and is no checkpoint.
    with pytest.raises(Malformed, match="not what PeterNeumann signed"):
        peter.opened(PETERS.replace("answer", "remedy"))


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 126))
def test_one_letter_changed_spoils_it(at: int, letter: int) -> None:
    changed = NOTE[:at] + chr(letter) + NOTE[at + 1 :]
    if changed != NOTE:
        with pytest.raises(Malformed):
            VERIFIER.opened(changed)


@given(st.text())
def test_what_is_no_note_is_refused(text: str) -> None:
    for read in (VERIFIER.opened, Head.of, VerifierKey.of):
        with pytest.raises(Malformed):
            read(text)


def test_signatures_of_others_are_passed_over() -> None:
    other = SealingKey.made()
    witnessed = NOTE + other.sign(HEAD).rpartition("\n\n")[2]
    assert VERIFIER.opened(witnessed) == HEAD
    assert other.verifier(NAME).opened(witnessed) == HEAD
    with pytest.raises(Malformed, match="not signed with casecore/main"):
        other.verifier(NAME).opened(NOTE)


@pytest.mark.parametrize("size", ["", "01", "+1", "-1", "1 ", "٣", "1_0", str(2**63)])
def test_a_size_is_written_one_way(size: str) -> None:
    with pytest.raises(Malformed):
        Head.of(HEAD.text().replace("20852163", size))


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "sealing.key"
    key = SealingKey.ensured(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SealingKey.ensured(path).public == key.public
    assert [file.name for file in path.parent.iterdir()] == ["sealing.key"]


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sealing.key"
    path.write_text("no key")
    with pytest.raises(Malformed, match="cannot be read as the sealing key"):
        SealingKey.read(path)
