from uuid import UUID

import pytest

from casecore.asking import Ask
from casecore.case.decisions.investigation import (
    AssessRecurrence,
    AttachEvidence,
    DetermineFault,
    RecordRootCause,
    StartInvestigation,
)
from casecore.case.events.investigation import (
    EvidenceAttached,
    FaultDetermined,
    InvestigationStarted,
    RecurrenceAssessed,
    RootCauseRecorded,
)
from casecore.case.events.outcome import CaseClosed, CaseWithdrawn, ComplaintResolved
from casecore.case.events.ownership import CaseAssigned
from casecore.case.events.triage import CaseTriaged
from casecore.facts import Event
from tests.spec import ADA, NOON, SAM, given, registered

assigned = CaseAssigned("ada", "claim")
triaged = CaseTriaged(3, 2, 2, False, "late_delivery", "normal")
resolved = ComplaintResolved(outcome="upheld", reasons="Lost at the depot")

start = StartInvestigation(plan="Ask the depot")
attach = AttachEvidence(
    kind="document", sha256="AB" * 32, uri="s3://evidence/1.pdf", size_bytes=48_213
)
attached = EvidenceAttached("v1", "document", "ab" * 32, "s3://evidence/1.pdf", 48_213)
find_fault = DetermineFault(party="business", reasons="The van left without it")
look_back = AssessRecurrence(
    window_days=90, verdict="repeat_cause", similar_case_ids=(UUID(int=7),)
)
name_cause = RecordRootCause(cause_code="carrier_depot", locus="supplier")


def test_an_investigation_starts_once_it_is_triaged_and_owned() -> None:
    case = given(registered, assigned, triaged).when(start)
    case.then(InvestigationStarted("Ask the depot")).when(start).then()


def test_an_investigation_does_not_start_before_triage() -> None:
    given(registered, assigned).when(start).then_refused("invalid-transition")


def test_an_investigation_needs_somebody_accountable() -> None:
    given(registered, triaged).when(start, by=SAM).then_refused("owner-required")


def test_evidence_is_numbered_and_known_by_its_hash() -> None:
    case = given(registered).when(attach, by=ADA).then(attached)
    elsewhere = AttachEvidence(kind="other", sha256="ab" * 32, uri="s3://copy", size_bytes=1)
    case.when(elsewhere).then()
    other = AttachEvidence(kind="log", sha256="cd" * 32, uri="s3://evidence/2.log", size_bytes=9)
    case.when(other).then(EvidenceAttached("v2", "log", "cd" * 32, "s3://evidence/2.log", 9))


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (find_fault, FaultDetermined("business", "The van left without it")),
        (look_back, RecurrenceAssessed(90, "repeat_cause", (UUID(int=7),))),
        (name_cause, RootCauseRecorded("carrier_depot", "supplier")),
    ],
)
def test_a_finding_is_recorded_once_and_can_be_corrected(command: Ask, event: Event) -> None:
    given(registered, assigned).when(command).then(event).when(command).then()


def test_a_fault_of_the_customer_may_be_found_before_they_were_heard() -> None:
    blame = DetermineFault(party="customer", reasons="A wrong address")
    given(registered, assigned).when(blame).then(FaultDetermined("customer", "A wrong address"))


def test_the_fault_of_a_closed_case_stands_but_its_cause_may_still_be_found() -> None:
    closed = given(registered, assigned, resolved, CaseClosed(NOON))
    closed.when(find_fault).then_refused("invalid-transition")
    closed.when(name_cause).then(RootCauseRecorded("carrier_depot", "supplier"))


@pytest.mark.parametrize("command", [start, attach, find_fault, look_back, name_cause])
def test_nothing_is_found_out_about_a_withdrawn_case(command: Ask) -> None:
    withdrawn = given(registered, assigned, CaseWithdrawn("Never mind"))
    withdrawn.when(command).then_refused("invalid-transition")
