"""The read models that follow the ledger."""

from casecore.following import Projection
from projections import agent_queues, callbacks, cases, goodwill, promises, solutions, timeline

PROJECTIONS: tuple[Projection, ...] = (
    cases,
    agent_queues,
    promises,
    callbacks,
    goodwill,
    solutions,
    timeline,
)
