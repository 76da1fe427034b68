"""Every code that a problem may carry, by status. A test compares it with what is raised."""

LISTED = """
400 invalid-utf-8 lone-surrogate malformed-json malformed-request nested-too-deeply
    nul-character policy-unreadable repeated-name schema-violation
401 unauthenticated
403 not-owner own-scope role-forbidden self-approval self-rating
404 callback-not-found case-not-found concern-not-found escalation-not-found followup-not-found
    handoff-not-found interaction-not-found key-not-found not-found note-not-found offer-not-found
    promise-not-found protects-promise-not-found solution-not-found
405 method-not-allowed
409 already-assigned already-decided command-in-progress version-conflict
412 precondition-failed
413 body-too-large
415 unsupported-media-type
422
500 internal-error
503 address-unavailable not-ready projection-lagging store-unavailable
"""


def by_status(listed: str) -> dict[int, list[str]]:
    codes: dict[int, list[str]] = {}
    for word in listed.split():
        if word.isdecimal():
            status = int(word)
            codes[status] = []
        else:
            codes[status].append(word)
    return codes


CODES = by_status(LISTED)
