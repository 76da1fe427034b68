"""Taking the next case of a queue: whoever is quicker has it, and the other gets the one after."""

from uuid import UUID, uuid5

from litestar import post
from litestar.handlers import HTTPRouteHandler

from api import bodies
from api.answers import Answer
from api.asking import answer
from api.given import AnyRequest, Caller, Door, body, idempotency_key
from api.queries import QueueAt
from casecore.asking import Ask
from casecore.case.decisions.ownership import ClaimCase
from casecore.case.state import Case
from casecore.core import Key, Written
from casecore.errors import Conflict, Rejected
from casecore.ledger import Appended
from projections import agent_queues

CANDIDATES_MAX = 50
"""How many cases to try, when others claim them at the same moment."""

QUEUES = UUID("c1a3f0d2-5d0b-5b6e-8a37-0e9f6b1d4c22")

NOTHING_LEFT = Answer(b"", (), 204)


def claims_next(door: Door) -> HTTPRouteHandler:
    @post("/v1/queues/{queue:str}/claim-next")
    async def claim_next(request: AnyRequest) -> Answer:
        caller = await door.caller(request)
        claim = bodies.command(bodies.parsed(await body(request)), ClaimCase, {})
        queue = bodies.converted(request.path_params, QueueAt).queue
        Ask.permit(claim, None, caller.actor)
        key = idempotency_key(request, caller.actor, uuid5(QUEUES, queue), [claim])
        with door.carrying_out(caller.desk.ledger, key):
            return await claimed(caller, queue, claim, key)

    return claim_next


async def claimed(caller: Caller, queue: str, claim: ClaimCase, key: Key | None) -> Answer:
    core = caller.desk.core
    if key and (first := await core.recorder.first_answer(*key)):
        return await replayed(caller, first)
    desk, me = caller.desk, caller.actor.id
    waiting = await agent_queues.items(
        desk.pool,
        desk.id,
        queue,
        await desk.books.latest(),
        core.now(),
        eligible=me,
        limit=CANDIDATES_MAX,
    )
    for candidate in waiting.items:
        seen = await core.see(Case, candidate.case_id)
        if seen.state.ownership.owner is not None:
            continue
        try:
            written = await core.execute(Case, candidate.case_id, claim, by=caller.actor, key=key)
        except (Conflict, Rejected):
            continue
        return answer(written, {"case_id": candidate.case_id}, {})
    return NOTHING_LEFT


async def replayed(caller: Caller, first: Appended) -> Answer:
    """The case that this key claimed before, whichever would be next by now."""
    [row] = await caller.desk.recorder.read(first.position - first.written, limit=first.written)
    written = Written(first.version, first.position, (), replayed=True)
    return answer(written, {"case_id": row.stream_id}, {})
