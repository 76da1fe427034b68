"""Checkpoints as signed notes: C2SP tlog-checkpoint and signed-note, with Ed25519.

casecore/main            the origin: whose tree it is
1042                     how many leaves it has
CsUYapGGPo4d…            its root, in Base 64

— casecore/main Az3g…    who signed it: Base 64 of the key's id, four bytes, and the signature
                         of the text above the empty line
"""

import os
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from casecore.errors import Malformed
from casecore.proof.tree import HASH_BYTES, SIZE_MAX
from casecore.secrets import drafted

ED25519 = b"\x01"
"""The kind of signature, as signed-note numbers them."""
ID_BYTES = 4
SIGNATURES_MAX = 16
NOTE_MAX = 100_000
"""How long a note may be, in letters: witnesses add a line each."""

SIZE = re.compile("0|[1-9][0-9]{0,18}")
DASH = "\N{EM DASH} "


class Head(NamedTuple):
    """What a checkpoint says of a tree."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def of(cls, text: str) -> Self:
        """Read it; lines that follow are for others, and are signed with it."""
        origin, size, root, *_ = [*text.split("\n"), "", ""]
        if not origin or not SIZE.fullmatch(size) or int(size) > SIZE_MAX:
            raise _unreadable("no origin, or no size")
        return cls(origin, int(size), _decoded(root, HASH_BYTES))


class VerifierKey(NamedTuple):
    """Whom to believe: written `name+id+key`, as others who read notes take it."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        named = self.name.encode() + b"\n" + ED25519 + self.public
        return sha256(named).digest()[:ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def of(cls, written: str) -> Self:
        name, _, rest = written.partition("+")
        id, _, encoded = rest.partition("+")
        public = _decoded(encoded, len(ED25519) + 32)
        key = cls(name, public.removeprefix(ED25519))
        if not name or len(key.public) != 32 or key.id.hex() != id:
            raise _unreadable("no verifier key: it is written name+id+key")
        return key

    def opened(self, note: str) -> Head:
        """What the note says, once it is known to be signed with this key."""
        text, blank, lines = note.rpartition("\n\n")
        if not blank or len(note) > NOTE_MAX or not lines.endswith("\n"):
            raise _unreadable("no text and signatures with an empty line between them")
        signatures = lines.removesuffix("\n").split("\n")
        if len(signatures) > SIGNATURES_MAX:
            raise _unreadable(f"more than {SIGNATURES_MAX} signatures")
        text += "\n"
        signed = False
        for line in signatures:
            name, space, encoded = line.removeprefix(DASH).partition(" ")
            if not line.startswith(DASH) or not space:
                raise _unreadable("a line that is no signature")
            id, signature = _parted(_decoded(encoded))
            if (name, id) == (self.name, self.id):
                self._check(signature, text)
                signed = True
        if not signed:
            raise Malformed("checkpoint-untrusted", f"the checkpoint is not signed with {self}")
        return Head.of(text)

    def _check(self, signature: bytes, text: str) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            raise Malformed(
                "checkpoint-untrusted", f"the checkpoint is not what {self.name} signed"
            ) from None


class SealingKey:
    """The key that signs checkpoints. It is kept where the database is not."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def made(cls) -> Self:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> Self:
        """As `openssl genpkey -algorithm ed25519` makes it, too."""
        try:
            private = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise Malformed(
                "sealing-key-unreadable", f"{path} cannot be read as the sealing key: {error}"
            ) from None
        if not isinstance(private, Ed25519PrivateKey):
            raise Malformed(
                "sealing-key-unreadable",
                f"{path} is another kind of key: `openssl genpkey -algorithm ed25519` makes one",
            )
        return cls(private)

    @classmethod
    def ensured(cls, path: Path) -> Self:
        """The key in the file, which is made when there is none yet."""
        if not path.exists():
            try:
                _write(path, cls.made()._pem())
            except OSError as error:
                raise Malformed(
                    "sealing-key-unwritable",
                    f"{path} cannot be written ({error.strerror}): name another file for the"
                    " sealing key with CASECORE_SEALING_KEY",
                ) from None
        return cls.read(path)

    def verifier(self, name: str) -> VerifierKey:
        return VerifierKey(name, self.public)

    def sign(self, head: Head) -> str:
        text = head.text()
        signature = self.verifier(head.origin).id + self._private.sign(text.encode())
        return f"{text}\n{DASH}{head.origin} {b64encode(signature).decode()}\n"

    def _pem(self) -> bytes:
        return self._private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def origin(ledger: str) -> str:
    """The name of a ledger's tree, and of the key under its checkpoints."""
    return f"casecore/{ledger}"


def _write(path: Path, pem: bytes) -> None:
    """So that of two who come at once, both go on with the same key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = drafted(path, pem)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _decoded(encoded: str, length: int | None = None) -> bytes:
    try:
        decoded = b64decode(encoded, validate=True)
    except ValueError:
        raise _unreadable("something that should be Base 64") from None
    if length is not None and len(decoded) != length:
        raise _unreadable(f"{len(decoded)} bytes where there should be {length}")
    if b64encode(decoded).decode() != encoded:
        raise _unreadable("Base 64 that could be written otherwise")
    return decoded


def _parted(signature: bytes) -> tuple[bytes, bytes]:
    return signature[:ID_BYTES], signature[ID_BYTES:]


def _unreadable(why: str) -> Malformed:
    return Malformed("checkpoint-unreadable", f"this is no checkpoint: it has {why}")
