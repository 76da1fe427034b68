"""What people wrote is shown as they wrote it, and never becomes part of a page."""

from uuid import UUID, uuid4

import httpx
from msgspec.structs import replace

from api.desk import Desk
from casecore.case.events.intake import Customer, NoteAdded
from tests.api.vectors import naughty_strings, needs_vectors
from tests.pages.conftest import parsed
from tests.spec import registered
from tests.telling import Telling

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} {% raw %}"
AT_ONCE = 40


async def told(desk: Desk, *texts: str) -> UUID:
    """A case in which all that people can write is these texts."""
    case_id = uuid4()
    telling = Telling(desk.recorder)
    first = texts[0]
    customer = Customer(ref=first, name=first, company=first)
    event = replace(registered, reason=first, product=first, customer=customer)
    await telling.tell(case_id, event)
    await telling.tell(case_id, *(NoteAdded(f"n{n}", text) for n, text in enumerate(texts)))
    return case_id


def without_spaces(text: str) -> str:
    return "".join(text.split())


async def test_a_script_is_a_text_like_any_other(auditor: httpx.AsyncClient, desk: Desk) -> None:
    plain, wicked = await told(desk, "Late"), await told(desk, SCRIPT)
    await desk.feed.reached(await desk.recorder.head(), 5)
    for path in ("/audit/cases/{}", "/audit/cases/{}?version=1", "/audit/cases/{}?version=2"):
        before = parsed(await auditor.get(path.format(plain)))
        after = parsed(await auditor.get(path.format(wicked)))
        assert [tag for tag, _ in after.tags] == [tag for tag, _ in before.tags]
        assert SCRIPT in "".join(after.pieces)
    found = parsed(await auditor.get("/audit", params={"q": SCRIPT}))
    assert SCRIPT in "".join(found.pieces)
    assert "img" not in {tag for tag, _ in found.tags}
    missed = parsed(await auditor.get("/audit", params={"q": SCRIPT + "!"}))
    assert SCRIPT in "".join(missed.pieces)
    board = parsed(await auditor.get("/desk"))
    assert "img" not in {tag for tag, _ in board.tags}


@needs_vectors
async def test_naughty_strings_are_shown_as_they_are(
    auditor: httpx.AsyncClient, desk: Desk
) -> None:
    strings = [text for text in naughty_strings() if "\0" not in text and text.strip()]
    for first in range(0, len(strings), AT_ONCE):
        some = strings[first : first + AT_ONCE]
        case_id = await told(desk, *some)
        page = parsed(await auditor.get(f"/audit/cases/{case_id}"))
        shown = without_spaces("".join(page.pieces))
        for text in some:
            assert without_spaces(text) in shown
        assert {"img", "iframe", "object", "style", "input"} & {tag for tag, _ in page.tags} == {
            "input"
        }
        scripts = [attrs.get("src") for tag, attrs in page.tags if tag == "script"]
        assert all(str(src).startswith("/pages/") for src in scripts)
        assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
