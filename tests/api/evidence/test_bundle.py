"""A case can be taken away: whole, the same every time, and harmless to whoever opens it."""

import io
import zipfile
from html.parser import HTMLParser
from uuid import UUID, uuid4

import pytest

from api.desk import Desk, Desks
from api.evidence import bundle as bundling
from api.evidence import timeline
from api.evidence.bundle import bundle, gather
from casecore.actors import Role
from casecore.case.events.intake import NoteAdded
from casecore.errors import Conflict, NotFound, Rejected
from tests.api.conftest import Client, Login
from tests.api.making import problem, registered
from tests.api.vectors import naughty_strings, needs_vectors
from tests.casecore.verifying.conftest import Tamper
from tests.spec import CASE_ID, NOON
from tests.telling import Telling


async def test_the_same_events_under_the_same_checkpoint_give_the_same_bytes(desk: Desk) -> None:
    first = await bundle(desk, CASE_ID)
    telling = await Telling.into(desk.pool, desk.ledger)
    await telling.tell(uuid4(), NoteAdded("n1", "Of another case, later"))
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    assert await bundle(desk, CASE_ID) == first
    assert first.name == "C-MJTW-DNZ8-Z6GB.zip"
    with zipfile.ZipFile(io.BytesIO(first.body)) as opened:
        assert opened.namelist() == [
            *("README.txt", "timeline.html", "verify.py", "case.json", "events.jsonl"),
            *("proofs.json", "checkpoint.note", "sealing.pub"),
        ]
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        readme = opened.read("README.txt").decode()
    assert all(name in readme for name in opened.namelist())


TELLS = "UPDATE es.event SET data = convert_to({}, 'UTF8')"
SHORTER = TELLS.format("replace(convert_from(data, 'UTF8'), 'Wochen', 'Tage')")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (SHORTER, "data-changed"),
        (TELLS.format("'{'"), "data-changed"),
        ("UPDATE es.event SET data = set_byte(data, 20, 255)", "data-changed"),
        ("UPDATE es.event SET recorded_at = recorded_at - interval '1 day'", "time-changed"),
        ("UPDATE es.event SET type = 'Unheard'", "envelope-changed"),
        ("DELETE FROM es.event", "version-missing"),
    ],
)
async def test_a_case_that_is_not_what_was_sealed_is_given_only_as_evidence_of_that(
    desk: Desk, tamper: Tamper, change: str, code: str
) -> None:
    assert (await bundle(desk, CASE_ID)).findings == ()
    await tamper(f"{change} WHERE ledger = {desk.id} AND position = 1")
    with pytest.raises(Conflict) as refusal:
        await bundle(desk, CASE_ID)
    assert refusal.value.code == "evidence-wrong"
    made = await bundle(desk, CASE_ID, anyway=True)
    assert {found.code for found in made.findings} >= {code}
    with zipfile.ZipFile(io.BytesIO(made.body)) as opened:
        page = Page(opened.read("timeline.html").decode())
    text = " ".join(page.text.split())
    assert "This is not what was sealed" in text
    assert made.findings[0].sentence in text
    assert "recorded from 20" in text
    assert "Recorded UTC" not in text


async def test_what_is_not_sealed_yet_is_told_to_come_back(desk: Desk) -> None:
    known = await Telling.into(desk.pool, desk.ledger)
    await known.tell(other := uuid4(), (await gather(desk, CASE_ID)).registered)
    with pytest.raises(NotFound) as refusal:
        await bundle(desk, other)
    assert refusal.value.code == "position-not-sealed"


async def test_what_is_no_case_or_too_large_has_no_bundle(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotFound):
        await bundle(desk, UUID(int=99))
    monkeypatch.setattr(bundling, "EVENTS_MAX", 5)
    with pytest.raises(Rejected) as refusal:
        await bundle(desk, CASE_ID)
    assert refusal.value.code == "bundle-too-large"


class Page(HTMLParser):
    """What a browser would make of it: its tags, their attributes, and the text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_timeline_tells_who_did_what_when_and_when_it_was_recorded(desk: Desk) -> None:
    page = Page(timeline.html(await gather(desk, CASE_ID)))
    text = " ".join(page.text.split())
    assert "Zwölf Wochen zu spät, und keiner ruft an" in text
    assert "Monday, 2 March 2026" in text
    assert "By ada (agent, for ben); recorded " in text
    assert " after it happened; PromiseMade, version 3, position 4" in text
    assert "casecore warned that clock resolution is at 75%" in text
    assert "Of another case" not in text
    assert "<b>bold</b>" in text


async def test_the_timeline_stands_for_itself(desk: Desk) -> None:
    source = timeline.html(await gather(desk, CASE_ID))
    page = Page(source)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "form", "a", "base"}
    assert not page.attributes & {"src", "href", "style", "onload", "onclick"}
    assert "default-src 'none'" in source
    for asked in ("@page", "@media print", "prefers-color-scheme: dark"):
        assert asked in source


@needs_vectors
async def test_whatever_people_wrote_stays_text(desk: Desk) -> None:
    telling = await Telling.into(desk.pool, desk.ledger)
    case = uuid4()
    strings = [text for text in naughty_strings() if text and "\0" not in text]
    notes = [NoteAdded(f"n{n}", text) for n, text in enumerate(strings, 1)]
    await telling.tell(case, (await gather(desk, CASE_ID)).registered, *notes, at=NOON)
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    harmless = Page(timeline.html(await gather(desk, CASE_ID)))
    page = Page(timeline.html(await gather(desk, case)))
    assert page.tags <= harmless.tags
    assert page.attributes <= harmless.attributes
    for text in strings:
        assert text.replace("\r\n", "\n") in page.text


async def test_an_event_that_cannot_be_read_is_in_the_timeline_all_the_same(desk: Desk) -> None:
    evidence = await gather(desk, CASE_ID)
    proved = [
        one._replace(row=one.row._replace(data=b"{", type="Unheard")) for one in evidence.proved
    ]
    page = Page(timeline.html(evidence._replace(proved=proved)))
    assert page.text.count("(this event cannot be read)") == 7


async def test_a_bundle_is_for_those_who_read_everything(
    admin: Client, login: Login, desks: Desks
) -> None:
    case = await registered(admin)
    auditor = await login(Role.AUDITOR, "ola")
    problem(await auditor.get(f"{case}/bundle"), 404, "position-not-sealed")
    agent = await login(Role.AGENT, "ada")
    problem(await agent.get(f"{case}/bundle"), 403, "role-forbidden")
