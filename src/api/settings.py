"""What the environment says about where and how to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from casecore.asking import END
from casecore.errors import Malformed

Port = Annotated[int, Meta(ge=0, le=65_535)]
LedgerName = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_-]{{0,62}}{END}")]
DatabaseUrl = Annotated[str, Meta(pattern=r"^postgres(ql)?://")]


class Settings(msgspec.Struct, frozen=True):
    """Each field is CASECORE_ and its name; an empty variable counts as none."""

    data_dir: Path = Path("var")
    database_url: DatabaseUrl | None = None
    """Of a PostgreSQL run elsewhere; without it, casecore runs its own in `data_dir`."""
    host: str = "127.0.0.1"
    port: Port = 8000
    """Also PORT; 0 takes a free one."""
    ledger: LedgerName = "main"
    sealing_key: Path | None = None
    """The key that signs checkpoints; without it, `sealing.key` in `data_dir`."""
    checkpoints_to: Path | None = None
    """A second folder for checkpoints, somewhere else than `data_dir`."""


EXPECTED = {
    "database_url": "postgresql://user:password@host:port/database",
    "port": "a number from 0 to 65535",
    "ledger": "small letters, digits, - and _, at most 63 of them, a letter first",
}


def read(environ: Mapping[str, str]) -> Settings:
    variables = {name: variable(name) for name in NAMES}
    if not environ.get(variables["port"]):
        variables["port"] = "PORT"
    given = {name: value for name in NAMES if (value := environ.get(variables[name]))}
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=_path)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        raise Malformed(
            "setting-invalid",
            f"{variables[name]} is {given[name]!r}, and should be {EXPECTED[name]}",
            field=variables[name],
        ) from None


NAMES = Settings.__struct_fields__


def variable(name: str) -> str:
    return f"CASECORE_{name.upper()}"


def _path(_: type[Any], value: str) -> Path:
    return Path(value)
