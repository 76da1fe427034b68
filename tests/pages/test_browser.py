"""The pages in a real Chromium: that they work there, for everybody, with and without scripts.

Where none is installed these are skipped, unless CASECORE_BROWSER says where it is. Screenshots go
to CASECORE_SCREENSHOTS, to be looked at.
"""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from api import keys
from api.demo import play
from api.desk import Desk, Desks
from api.serving import serve
from casecore.actors import Role
from casecore.case.decisions.intake import AddNote, Complainant, RegisterCase
from casecore.case.state import Case
from casecore.proof.notes import SealingKey
from tests.spec import SAM

BROWSER = (
    os.environ.get("CASECORE_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
)
AXE = Path(__file__).with_name("vendor") / "axe.min.js"
STARTING_SECONDS_MAX = 20
PHONE, DESKTOP = {"width": 375, "height": 812}, {"width": 1280, "height": 800}
WIDTHS = (360, 375, 768, 1280, 1440)
FRIDAY = datetime(2026, 3, 6, tzinfo=UTC).date()
CASES = 8

STICKING_OUT = """() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth === width) return [];
    return [...document.querySelectorAll("body *")]
        .filter((one) => one.getBoundingClientRect().right > width && !one.closest(".wide *"))
        .map((one) => one.outerHTML.slice(0, 160));
}"""
"""What makes the page wider than the window."""

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium here; CASECORE_BROWSER says where one is"
)


class Site(NamedTuple):
    url: str
    key: str
    desk: Desk
    longest: UUID
    """The case of which there is most to tell."""


@pytest.fixture
async def site(desks: Desks) -> AsyncIterator[Site]:
    """A real server, in which a day was played and sealed."""
    desk = await desks.desk("main")
    told = await play(desk.core, 1, FRIDAY, CASES)
    assert desks.proof is not None
    SealingKey.ensured(desks.proof.key)
    assert desk.sealing is not None
    await desk.sealing.seal_now()
    heads = await desk.recorder.heads([case.case_id for case in told.cases])
    longest = max(heads, key=lambda id: heads[id][0])
    await desk.feed.reached(await desk.recorder.head(), STARTING_SECONDS_MAX)
    _, key = await keys.create(desks.pool, "main", "olga", Role.AUDITOR, "")
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    server = asyncio.create_task(serve(desks, "127.0.0.1", 0, say=address.set_result))
    yield Site(await asyncio.wait_for(address, STARTING_SECONDS_MAX), key, desk, longest)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(server, STARTING_SECONDS_MAX)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        await browser.close()


@asynccontextmanager
async def visited(browser: Browser, site: Site, **options: Any) -> AsyncIterator[Page]:
    """A page of somebody signed in, on which nothing is complained of and nothing leaves here."""
    context = await browser.new_context(**{"viewport": DESKTOP} | options)
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: heed(said.type, said.text, complaints))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda asked: asked.url.startswith(site.url) or complaints.append(asked.url))
    await page.goto(f"{site.url}/audit")
    await page.get_by_label("API key").fill(site.key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Find a case")).to_be_visible()
    yield page
    assert complaints == []
    await context.close()


def heed(kind: str, text: str, complaints: list[str]) -> None:
    if kind in ("error", "warning"):
        complaints.append(text)


def shot(tmp_path: Path, name: str) -> Path:
    folder = Path(os.environ.get("CASECORE_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


async def test_an_auditor_finds_a_case_and_goes_through_its_versions(
    site: Site, browser: Browser
) -> None:
    async with visited(browser, site) as page:
        [ref] = [
            row["case_ref"]
            for row in await site.desk.pool.fetch(
                "SELECT case_ref FROM ops.cases WHERE case_id = $1", site.longest
            )
        ]
        await page.get_by_label("Case number or customer").fill(ref)
        await page.get_by_role("button", name="Find").click()
        await page.get_by_role("link", name=ref).click()
        await expect(page.get_by_role("heading", name=f"Case {ref}")).to_be_visible()
        await expect(page.get_by_text("has changed since it was sealed")).to_be_visible()
        slider = page.get_by_role("slider", name="Version")
        latest = int(await slider.get_attribute("max") or 0)
        assert latest > 10
        await slider.focus()
        await page.keyboard.press("Home")
        await expect(page.get_by_role("heading", name=f"Version 1 of {latest}")).to_be_visible()
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("heading", name=f"Version 2 of {latest}")).to_be_visible()
        await expect(page.locator("#of")).to_have_text(f"2 of {latest}")
        assert page.url.endswith("?version=2")
        await page.get_by_role("link", name="Version 3", exact=True).click()
        await expect(page.get_by_role("heading", name=f"Version 3 of {latest}")).to_be_visible()
        await expect(slider).to_have_value("3")
        await expect(page.get_by_role("link", name="Version 4", exact=True)).to_be_focused()
        await page.reload()
        await expect(page.get_by_role("heading", name=f"Version 3 of {latest}")).to_be_visible()
        await page.get_by_label("At a time (UTC)").fill("2026-03-06T12:00")
        await page.get_by_label("known now").check()
        await page.locator("form.time").get_by_role("button", name="Show").click()
        await expect(
            page.get_by_role("heading", name="as it is now known to have been")
        ).to_be_visible()
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Evidence bundle").click()
        download = await started.value
        assert download.suggested_filename == f"{ref}.zip"
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_without_scripts_all_of_it_works_as_well(site: Site, browser: Browser) -> None:
    async with visited(browser, site, java_script_enabled=False) as page:
        await page.goto(f"{site.url}/audit/cases/{site.longest}?version=2#versions")
        await page.get_by_role("link", name="Version 3", exact=True).click()
        await expect(page.get_by_role("heading", name="Version 3 of")).to_be_visible()
        await page.get_by_role("slider", name="Version").press("Home")
        await page.locator("form.slider").get_by_role("button", name="Show").click()
        await expect(page.get_by_role("heading", name="Version 1 of")).to_be_visible()
        await page.get_by_label("At a time (UTC)").fill("2026-03-06T12:00")
        await page.locator("form.time").get_by_role("button", name="Show").click()
        await expect(page.get_by_role("heading", name="as it was known then")).to_be_visible()
        await page.goto(f"{site.url}/desk")
        await expect(page.get_by_role("heading", name="The desk")).to_be_visible()


async def test_the_wall_shows_what_happens_within_seconds(site: Site, browser: Browser) -> None:
    async with visited(browser, site, timezone_id="Europe/Berlin") as page:
        await page.goto(f"{site.url}/desk")
        await expect(page.get_by_role("status")).to_have_text("Live")
        await expect(page.locator("#zone")).to_contain_text("Europe/Berlin")
        waiting = page.locator(".tile .many").first
        before = int(await waiting.inner_text())
        register = RegisterCase(
            channel="phone", customer=Complainant(ref="c-1"), reason="Late", queue="new-queue"
        )
        await site.desk.core.execute(Case, UUID(int=77), register, by=SAM)
        await expect(waiting).to_have_text(str(before + 1), timeout=5_000)
        await expect(page.get_by_role("rowheader", name="new-queue")).to_be_visible()


async def test_a_script_that_somebody_wrote_does_not_run(site: Site, browser: Browser) -> None:
    wicked = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    register = RegisterCase(
        channel="phone", customer=Complainant(ref="c-2", name=wicked), reason=wicked, product=wicked
    )
    note = AddNote(text=wicked)
    written = await site.desk.core.execute(Case, UUID(int=78), register, note, by=SAM)
    await site.desk.feed.reached(written.position, STARTING_SECONDS_MAX)
    async with visited(browser, site) as page:
        for path in ("/audit", f"/audit/cases/{UUID(int=78)}", "/desk"):
            await page.goto(f"{site.url}{path}")
            await page.wait_for_load_state("networkidle" if path != "/desk" else "load")
            assert "owned" not in await page.title()
        await page.goto(f"{site.url}/audit/cases/{UUID(int=78)}")
        await expect(page.get_by_text(wicked).first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out(
    site: Site, browser: Browser, tmp_path: Path, scheme: str
) -> None:
    paths = {
        "find": "/audit",
        "nothing": "/audit?q=C-NONE",
        "case": f"/audit/cases/{site.longest}?version=3",
        "then": f"/audit/cases/{site.longest}?at=2026-03-06T12:00&known=now",
        "missing": "/audit/nowhere",
        "desk": "/desk",
    }
    for size, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        async with visited(browser, site, color_scheme=scheme, viewport=viewport) as page:
            for name, path in paths.items():
                # A page that is not there is complained of by the browser itself.
                if name == "missing":
                    continue
                await page.goto(f"{site.url}{path}")
                await page.screenshot(
                    path=shot(tmp_path, f"{name}-{size}-{scheme}.png"), full_page=True
                )
                for summary in await page.locator("details > summary").all():
                    await summary.click()
                assert await barriers(page) == [], (name, size)
                for width in WIDTHS:
                    await page.set_viewport_size({"width": width, "height": 800})
                    assert await page.evaluate(STICKING_OUT) == [], (name, width)
                await page.set_viewport_size(viewport)
    context = await browser.new_context(color_scheme=scheme)
    page = await context.new_page()
    for name, path in {"sign-in": "/sign-in", "missing": "/audit/nowhere"}.items():
        await page.goto(f"{site.url}{path}")
        await page.screenshot(path=shot(tmp_path, f"{name}-desktop-{scheme}.png"))
        assert await barriers(page) == [], name
    await context.close()


async def barriers(page: Page) -> list[str]:
    """What axe finds that keeps somebody from using the page."""
    await page.evaluate(AXE.read_text("utf-8"))
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['impact']} {violation['id']}: {node['html'][:160]}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


FOCUSED = """() => {
    const {tagName, id, href, type} = document.activeElement;
    const {outlineStyle} = getComputedStyle(document.activeElement);
    return [[tagName, id || href || type || ""].join(" "), outlineStyle];
}"""


async def test_everything_is_reached_with_the_keyboard_and_seen_to_be(
    site: Site, browser: Browser
) -> None:
    async with visited(browser, site) as page:
        await page.goto(f"{site.url}/audit/cases/{site.longest}")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        reached = set()
        for _ in range(300):
            await page.keyboard.press("Tab")
            seen, outline = await page.evaluate(FOCUSED)
            assert outline != "none" or seen.startswith("BODY"), seen
            reached.add(seen)
        assert {"INPUT version", "INPUT at", "SUMMARY "} <= reached
        assert any("/bundle" in one for one in reached)


async def test_a_case_prints_on_white_paper_with_nothing_folded_away(
    site: Site, browser: Browser, tmp_path: Path
) -> None:
    async with visited(browser, site, color_scheme="dark") as page:
        await page.goto(f"{site.url}/audit/cases/{site.longest}")
        await page.emulate_media(media="print")
        await expect(page.locator(".masthead")).to_be_hidden()
        await expect(page.locator(".ways-back")).to_be_hidden()
        paper = await page.evaluate("getComputedStyle(document.body).color")
        assert paper == "rgb(28, 35, 34)"
        await page.pdf(path=shot(tmp_path, "case.pdf"), prefer_css_page_size=True)
        assert shot(tmp_path, "case.pdf").stat().st_size > 10_000
        assert await page.locator("details table").first.bounding_box()
