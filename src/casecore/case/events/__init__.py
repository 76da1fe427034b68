"""Everything that can happen to a case."""

from casecore.case.events.after import AfterEvent
from casecore.case.events.callbacks import CallbackEvent
from casecore.case.events.contact import ContactEvent
from casecore.case.events.escalation import EscalationEvent
from casecore.case.events.goodwill import GoodwillEvent
from casecore.case.events.intake import IntakeEvent
from casecore.case.events.investigation import InvestigationEvent
from casecore.case.events.outcome import OutcomeEvent
from casecore.case.events.ownership import OwnershipEvent
from casecore.case.events.promises import PromiseEvent
from casecore.case.events.solutions import CaseSolutionEvent
from casecore.case.events.triage import TriageEvent

CaseEvent = (
    IntakeEvent
    | ContactEvent
    | PromiseEvent
    | CallbackEvent
    | OwnershipEvent
    | EscalationEvent
    | TriageEvent
    | InvestigationEvent
    | CaseSolutionEvent
    | GoodwillEvent
    | OutcomeEvent
    | AfterEvent
)
