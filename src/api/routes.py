"""Every command, and the path it is asked at: one row each."""

from api.asking import Row, Table
from casecore.case.decisions import (
    after,
    callbacks,
    contact,
    escalation,
    goodwill,
    intake,
    investigation,
    outcome,
    ownership,
    promises,
    triage,
)
from casecore.case.decisions import solutions as proposals
from casecore.case.events.callbacks import CallbackScheduled, FollowUpScheduled
from casecore.case.events.escalation import ComplaintEscalated
from casecore.case.events.goodwill import DiscountOffered, GoodwillOffered
from casecore.case.events.intake import (
    ConcernRaised,
    InteractionStarted,
    ListeningNoteTaken,
    NoteAdded,
)
from casecore.case.events.investigation import EvidenceAttached
from casecore.case.events.ownership import CaseHandedOff, HandoverNoteWritten
from casecore.case.events.promises import PromiseMade
from casecore.case.events.solutions import BestPracticeNominated, SolutionProposed
from casecore.case.state import Case
from casecore.goodwill.decisions import DraftGoodwillPolicy, PublishGoodwillPolicy
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.sla.decisions import RetireSlaPolicy
from casecore.sla.state import SLA_BOOK_ID, SlaBook
from casecore.solutions import decisions as library
from casecore.solutions.state import Solution

CASES = Table(
    "/v1/cases/{case_id}",
    Case,
    (
        # Intake and listening
        Row("/authority", intake.RecordAuthority),
        Row("/interactions", intake.StartInteraction, InteractionStarted, "interaction_id"),
        Row("/interactions/{interaction_id}/end", intake.EndInteraction),
        Row("/interactions/{interaction_id}/review", after.ReviewInteraction),
        Row("/listening-notes", intake.TakeNote, ListeningNoteTaken, "note_id"),
        Row("/notes", intake.AddNote, NoteAdded, "note_id"),
        Row("/heard", intake.HearComplaint),
        Row("/recaps", intake.GiveRecap),
        Row("/acknowledged", intake.AcknowledgeComplaint),
        Row("/apologies", intake.Apologise),
        Row("/thanks", intake.ThankCustomer),
        Row("/common-ground", intake.FindCommonGround),
        Row("/limits", intake.DiscloseLimits),
        Row("/process-explanations", intake.ExplainProcess),
        Row("/emotions", intake.AssessEmotion),
        Row("/insights", intake.RecordInsight),
        Row("/concerns", intake.RaiseConcern, ConcernRaised, "concern_id"),
        Row("/concerns/{concern_id}/settle", intake.SettleConcern),
        # Contact
        Row("/acknowledgements", contact.RecordAcknowledgement),
        Row("/responses", contact.RecordResponse),
        Row("/contacts", contact.RecordContact),
        Row("/progress-updates", contact.RecordProgressUpdate),
        Row("/waiting", contact.StartWaiting),
        Row("/waiting/end", contact.EndWaiting),
        # Promises
        Row("/promises", promises.MakePromise, PromiseMade, "promise_id"),
        Row("/promises/{promise_id}/keep", promises.KeepPromise),
        Row("/promises/{promise_id}/renegotiate", promises.RenegotiatePromise),
        Row("/promises/{promise_id}/release", promises.ReleasePromise),
        Row("/promises/{promise_id}/break", promises.BreakPromise),
        # Callbacks and follow-ups
        Row("/callbacks", callbacks.ScheduleCallback, CallbackScheduled, "callback_id"),
        Row("/callbacks/{callback_id}/attempts", callbacks.RecordCallbackAttempt),
        Row("/callbacks/{callback_id}/complete", callbacks.RecordCallback),
        Row("/callbacks/{callback_id}/abandon", callbacks.AbandonCallback),
        Row("/called-back", callbacks.RecordCallback),
        Row("/assurances", callbacks.GiveAssurance),
        Row("/follow-ups", callbacks.ScheduleFollowUp, FollowUpScheduled, "followup_id"),
        Row("/follow-ups/{followup_id}/done", callbacks.RecordFollowUp),
        # Ownership
        Row("/queue", ownership.QueueCase),
        Row("/claim", ownership.ClaimCase),
        Row("/assign", ownership.AssignCase),
        Row("/release", ownership.ReleaseCase),
        Row("/transfer", ownership.TransferCase),
        Row("/hand-off", ownership.HandOff, CaseHandedOff, "handoff_id"),
        Row("/handoffs/{handoff_id}/answer", ownership.AnswerHandoff),
        Row("/handover-notes", ownership.WriteHandoverNote, HandoverNoteWritten, "note_id"),
        Row("/handover-notes/{note_id}/rate", ownership.RateHandoverNote),
        # Escalation
        Row("/escalations", escalation.Escalate, ComplaintEscalated, "escalation_id"),
        Row("/escalations/{escalation_id}/accept", escalation.AcceptEscalation),
        Row("/escalations/{escalation_id}/decline", escalation.DeclineEscalation),
        Row("/escalations/{escalation_id}/supervisor-spoke", escalation.RecordSupervisorSpoke),
        Row("/escalations/{escalation_id}/close", escalation.CloseEscalation),
        # Triage and investigation
        Row("/triage", triage.TriageCase),
        Row("/reclassify", triage.Reclassify),
        Row("/priority", triage.ChangePriority),
        Row("/investigation", investigation.StartInvestigation),
        Row("/evidence", investigation.AttachEvidence, EvidenceAttached, "evidence_id"),
        Row("/fault", investigation.DetermineFault),
        Row("/recurrence", investigation.AssessRecurrence),
        Row("/root-cause", investigation.RecordRootCause),
        # Solutions
        Row("/invitations-to-craft", proposals.InviteToCraft),
        Row("/solutions", proposals.ProposeSolution, SolutionProposed, "solution_id"),
        Row("/solutions/{solution_id}/amend", proposals.AmendSolution),
        Row("/solutions/{solution_id}/offer", proposals.OfferSolution),
        Row("/solutions/{solution_id}/accept", proposals.AcceptSolution),
        Row("/solutions/{solution_id}/reject", proposals.RejectSolution),
        Row("/solutions/{solution_id}/implement", proposals.ImplementSolution),
        Row("/solutions/{solution_id}/verify", proposals.VerifySolution),
        Row(
            "/solutions/{solution_id}/nominate",
            proposals.NominateSolution,
            BestPracticeNominated,
            "library_solution_id",
        ),
        # Discounts and other goodwill
        Row("/discounts", goodwill.OfferDiscount, DiscountOffered, "offer_id"),
        Row("/goodwill", goodwill.OfferGoodwill, GoodwillOffered, "offer_id"),
        *(
            Row(f"/{gesture}/{{offer_id}}/{verb}", command)
            for gesture in ("discounts", "goodwill")
            for verb, command in (
                ("approve", goodwill.ApproveGoodwill),
                ("decline", goodwill.DeclineGoodwill),
                ("accept", goodwill.AcceptGoodwill),
                ("refuse", goodwill.RefuseGoodwill),
                ("paid", goodwill.RecordGoodwillPaid),
                ("expire", goodwill.ExpireGoodwill),
                ("withdraw", goodwill.WithdrawGoodwill),
                ("reverse", goodwill.ReverseGoodwill),
            )
        ),
        # Outcome
        Row("/resolve", outcome.ResolveCase),
        Row("/close", outcome.CloseCase),
        Row("/reopen", outcome.ReopenCase),
        Row("/withdraw", outcome.WithdrawCase),
        Row("/not-a-complaint", outcome.MarkNotComplaint),
        # After
        Row("/satisfaction-requests", after.RequestSatisfaction),
        Row("/satisfaction", after.RecordSatisfaction),
        Row("/retention", after.RecordRetention),
        Row("/testimonial-requests", after.RequestTestimonial),
        Row("/testimonials", after.RecordTestimonial),
        Row("/referral-requests", after.RequestReferral),
        Row("/referrals", after.RecordReferral),
    ),
)

LIBRARY = Table(
    "/v1/solutions/{solution_id}",
    Solution,
    (
        Row("/revise", library.ReviseSolution),
        Row("/trial", library.TrialSolution),
        Row("/endorse", library.EndorseSolution),
        Row("/supersede", library.SupersedeSolution),
        Row("/withdraw", library.WithdrawSolution),
    ),
)

POLICY = Table(
    "/v1/policies/goodwill",
    GoodwillPolicy,
    (Row("", DraftGoodwillPolicy), Row("/publish", PublishGoodwillPolicy)),
    GOODWILL_POLICY_ID,
)

SLA = Table(
    "/v1/policies/sla",
    SlaBook,
    (Row("/{policy_id}/retire", RetireSlaPolicy),),
    SLA_BOOK_ID,
)
"""What is drafted and published comes as a file does: `slabook`."""

TABLES = (CASES, LIBRARY, POLICY, SLA)
