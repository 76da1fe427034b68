"""Pages made of templates, and the headers that they go out with."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from api.answers import Answer
from casecore.clocks.instants import SECOND
from casecore.sla.explaining import length

HERE = Path(__file__).parent
STATIC = HERE / "static"

CONTENT_SECURITY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
SAFE = (
    (b"content-security-policy", CONTENT_SECURITY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE = (b"cache-control", b"no-store")
"""Of what is about people."""
HTML = (
    (b"content-type", b"text/html; charset=utf-8"),
    NO_STORE,
    (b"vary", b"cookie, hx-request"),
    *SAFE,
)


def page(
    template: str, status: int = 200, headers: Iterable[tuple[bytes, bytes]] = (), **shown: Any
) -> Answer:
    return Answer(PAGES.get_template(template).render(shown).encode(), (*HTML, *headers), status)


def moment(at: datetime, *, seconds: bool = False) -> Markup:
    """A time for people, in UTC, which the page says; machines get it exactly."""
    shown = f"{at.astimezone(UTC):%-d %b %Y, %H:%M}" + (f":{at:%S}" if seconds else "")
    return Markup('<time datetime="{}">{}</time>').format(machine(at), shown)


def clock_time(at: datetime) -> Markup:
    return Markup('<time datetime="{}">{}</time>').format(
        machine(at), f"{at.astimezone(UTC):%H:%M}"
    )


def day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%A, %-d %B %Y}"


def machine(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def duration(span: timedelta | int) -> str:
    """As people say it, as roughly as they do: 3 days 4 h, 12 min."""
    seconds = int(span.total_seconds()) if isinstance(span, timedelta) else span
    days, rest = divmod(abs(seconds), 86_400)
    if days:
        hours = rest // 3600
        return f"{days} {'day' if days == 1 else 'days'}" + (f" {hours} h" if hours else "")
    if rest >= 3600:
        rest -= rest % 60
    return length(rest * SECOND)


def hours(seconds: float) -> str:
    """Open time, of which no day has twenty-four hours."""
    return length(int(seconds * SECOND))


def until(at: datetime, now: datetime) -> str:
    """How long it is until then, or has been since, to the minute."""
    minutes = abs(at - now) // timedelta(minutes=1)
    if not minutes:
        return "now"
    told = duration(60 * minutes)
    return f"in {told}" if at > now else f"{told} ago"


def words(name: str) -> str:
    """A name out of the code as people would write it."""
    return name.replace("_", " ")


def begun(text: str) -> str:
    """With a capital letter, and all else as it was."""
    return text[:1].upper() + text[1:]


@cache
def static(name: str) -> str:
    """Where a file lies that may be kept for good: another version of it has another address."""
    return f"/pages/{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"


PAGES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
PAGES.filters |= {
    "moment": moment,
    "clock_time": clock_time,
    "day": day,
    "machine": machine,
    "duration": duration,
    "hours": hours,
    "until": until,
    "words": words,
    "begun": begun,
}
PAGES.globals["static"] = static
