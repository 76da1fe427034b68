"""What BI tools read: facts and dimensions over the read models, which name no person.

Everything here is data: `casecore.views` makes views of it, and docs/bi.md is written from it.
"""

from casecore.views import View
from projections.bi import (
    agent_day,
    case_fact,
    clock_fact,
    dimensions,
    event_fact,
    goodwill_fact,
    promise_fact,
    solution_fact,
)

VIEWS: tuple[View, ...] = (
    case_fact.VIEW,
    clock_fact.VIEW,
    event_fact.VIEW,
    promise_fact.VIEW,
    goodwill_fact.VIEW,
    solution_fact.VIEW,
    agent_day.VIEW,
    *dimensions.VIEWS,
)
