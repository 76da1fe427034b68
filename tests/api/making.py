"""What most tests of the door begin with."""

from typing import Any

from tests.api.conftest import Client

REGISTER: dict[str, Any] = {
    "channel": "phone",
    "customer": {"ref": "cust-42", "name": "Ada Byron"},
    "reason": "Three weeks late",
    "product": "delivery",
}
PROMISE = {"kind": "update", "text": "News by tomorrow", "within_seconds": 86_400}


async def registered(client: Client, **more: Any) -> str:
    """The path of a new case."""
    answer = await client.post("/v1/cases", json=REGISTER | more)
    assert answer.status_code == 201, answer.text
    return str(answer.headers["Location"])


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document that an answer is, of this status and code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    read: dict[str, Any] = answer.json()
    assert (read["status"], read["code"]) == (status, code)
    assert read["type"] == f"/problems/{code}"
    assert read["title"]
    assert read["detail"]
    return read
