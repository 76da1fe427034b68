"""The read models that follow the ledger."""

from casecore.following.projection import Projection
from projections import (
    agent_queues,
    callbacks,
    cases,
    goodwill,
    promises,
    sla_clocks,
    solutions,
    timeline,
    waits,
)

PROJECTIONS: tuple[Projection, ...] = (
    cases,
    agent_queues,
    promises,
    callbacks,
    goodwill,
    solutions,
    timeline,
    sla_clocks,
    waits,
)
