"""Everything that can be asked of a case, a chapter a file."""

from casecore.case.decisions.after import AfterCommand
from casecore.case.decisions.callbacks import CallbackCommand
from casecore.case.decisions.contact import ContactCommand
from casecore.case.decisions.escalation import EscalationCommand
from casecore.case.decisions.goodwill import GoodwillCommand
from casecore.case.decisions.intake import IntakeCommand
from casecore.case.decisions.investigation import InvestigationCommand
from casecore.case.decisions.outcome import OutcomeCommand
from casecore.case.decisions.ownership import OwnershipCommand
from casecore.case.decisions.promises import PromiseCommand
from casecore.case.decisions.solutions import CaseSolutionCommand
from casecore.case.decisions.triage import TriageCommand

CaseCommand = (
    IntakeCommand
    | ContactCommand
    | PromiseCommand
    | CallbackCommand
    | OwnershipCommand
    | EscalationCommand
    | TriageCommand
    | InvestigationCommand
    | CaseSolutionCommand
    | GoodwillCommand
    | OutcomeCommand
    | AfterCommand
)
