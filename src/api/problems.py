"""Every code that a problem may carry, by status. A test compares it with what is raised."""

LISTED = """
400 invalid-time-of-day invalid-utf-8 lone-surrogate malformed-json malformed-request
    nested-too-deeply nul-character repeated-name schema-violation
401 unauthenticated
403 not-owner own-scope role-forbidden self-approval self-rating
404 calendar-not-found callback-not-found case-not-found checkpoint-not-found clock-not-found
    concern-not-found escalation-not-found evidence-not-found followup-not-found format-not-found
    handoff-not-found interaction-not-found key-not-found not-found note-not-found offer-not-found
    policy-not-found position-not-found position-not-sealed promise-not-found run-not-found
    solution-not-found tile-not-found version-not-found
405 method-not-allowed
408 request-timeout
409 already-assigned already-decided command-in-progress evidence-wrong version-conflict
    what-if-running
412 precondition-failed
413 body-too-large
415 unsupported-media-type
422 actions-required already-in-library already-waiting alternatives-required ambiguous-local-time
    apology-required as-of-in-future attempts-required authority-not-needed authority-required
    backdating-limit before-receipt bundle-too-large calendar-never-open callback-ambiguous
    callback-over callback-required can-do-required clock-ambiguous clock-not-ours clock-over
    corrections-required day-not-over due-beyond-horizon due-required effective-from-invalid
    escalation-not-accepted goodwill-awaiting-approval goodwill-gone goodwill-limit-exceeded
    goodwill-not-accepted goodwill-still-valid goodwill-unsettled handover-note-required
    idempotency-key-reuse intake-incomplete invalid-transition no-evidence no-goodwill-policy
    no-open-concern no-policies no-time-between nonexistent-local-time not-a-system not-ahead
    not-by-content not-due not-heard not-reached nothing-answered nothing-offered nothing-proven
    nothing-runs nothing-to-pay nothing-to-reclassify nothing-to-reverse occurred-at-refused
    occurred-in-future offer-expired own-complaint owner-required paid-at-impossible
    payment-exceeds-offer percent-or-amount policies-unreadable policy-planned policy-rank-conflict
    policy-unsound position-ahead promise-broken promise-final promise-running promise-unprotected
    proposer-mismatch protects-nothing reasons-too-short received-in-future received-too-early
    regulatory-target-lenient reopen-window-passed represented-required role-forbidden
    satisfaction-not-confirmed solution-not-accepted solution-not-offered solution-not-proven
    solution-withdrawn superseded-by-itself target-not-found target-not-positive team-required
    text-required tier-not-functional time-out-of-range triage-required trigger-required
    unknown-calendar unknown-event unknown-field unknown-zone unsettled-concerns version-or-time
    what-if-unreadable window-invalid wrong-cause
500 event-unreadable internal-error
503 as-of-being-made as-of-busy checkpoint-untrusted event-unknown exports-busy feed-full
    ledger-forked ledger-rolled-back no-disk not-ready projection-lagging proof-broken store-busy
    store-unavailable
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
