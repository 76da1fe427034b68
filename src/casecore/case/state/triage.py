"""What the complaint is about, and how urgent it is."""

from typing import Self, assert_never

import msgspec
from msgspec.structs import replace

from casecore.case.events.intake import CaseRegistered, Priority
from casecore.case.events.triage import CaseReclassified, CaseTriaged, PriorityChanged


class Triage(msgspec.Struct, frozen=True):
    priority: Priority = "normal"
    product: str | None = None
    category: str | None = None
    assessment: CaseTriaged | None = None
    """The last one."""

    def evolve(
        self, event: CaseRegistered | CaseTriaged | CaseReclassified | PriorityChanged
    ) -> Self:
        match event:
            case CaseRegistered():
                return replace(
                    self, priority=event.priority, product=event.product, category=event.category
                )
            case CaseTriaged():
                return replace(
                    self, priority=event.priority, category=event.category, assessment=event
                )
            case CaseReclassified():
                return replace(self, product=event.product, category=event.category)
            case PriorityChanged():
                return replace(self, priority=event.new)
            case _:
                assert_never(event)
