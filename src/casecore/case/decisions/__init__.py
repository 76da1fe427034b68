"""Everything that can be asked of a case, a chapter a file."""

from casecore.case.decisions.callbacks import CallbackCommand
from casecore.case.decisions.contact import ContactCommand
from casecore.case.decisions.escalation import EscalationCommand
from casecore.case.decisions.intake import IntakeCommand
from casecore.case.decisions.ownership import OwnershipCommand
from casecore.case.decisions.promises import PromiseCommand

CaseCommand = (
    IntakeCommand
    | ContactCommand
    | PromiseCommand
    | CallbackCommand
    | OwnershipCommand
    | EscalationCommand
)
