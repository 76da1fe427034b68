"""Every question, and the path it is asked at: one row each, below what answers it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from api import bodies, proof, scope, slabook
from api.access import MAY_SEE, AccessList, list_accesses
from api.accesslog import Access
from api.cases import CaseAt, Replayed, ReplayOf, Told, get_case, get_history, get_replay
from api.clocks import ClocksOfCase, CycleAsked, Explained, explain_clock, get_case_clocks
from api.reading import PEOPLE, Asked, Page, PageThen, Params, Query, Then
from api.supposing import MAY_ASK, WHAT_IF, WhatIfRun, get_what_if
from casecore.actors import Role
from casecore.asking import Code, Instant, QueueName, Short
from casecore.case.events.intake import Priority
from casecore.errors import NotFound
from casecore.following.progress import Progress
from casecore.goodwill.events import GoodwillPolicyPublished, GoodwillTerms
from casecore.goodwill.state import GOODWILL_POLICY_ID, GoodwillPolicy
from casecore.sla.cycle import ClockState
from casecore.sla.events import TargetKind
from casecore.solutions.events import Proposer
from casecore.verifying.scrubbing import Verdict
from projections import (
    agent_queues,
    callbacks,
    cases,
    goodwill,
    paging,
    promises,
    sla_clocks,
    solutions,
)
from projections.case_file import CaseFile

COUNTED = PEOPLE | {Role.BI}
"""Who may read what names no person."""

OF_EVERY = Then.__struct_fields__
"""What answers every question of a read model alike."""

T = TypeVar("T")


class QueueAt(msgspec.Struct, frozen=True):
    queue: QueueName


class GoodwillPolicyView(msgspec.Struct, frozen=True):
    """The policy that offers are held against, its next draft, and all it ever was."""

    in_force: int | None
    """The version in force now."""
    draft: GoodwillTerms | None
    versions: tuple[GoodwillPolicyPublished, ...]


class CaseList(PageThen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    stage: cases.Stage | None = None
    owner: Code | None = None
    customer: Short | None = None
    """The customer's ref."""
    queue: QueueName | None = None
    priority: Priority | None = None
    ref: Short | None = None
    """The case_ref that people quote."""


class PromiseList(PageThen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    case_id: UUID | None = None
    state: promises.PromiseState | None = None
    made_by: Code | None = None
    due_before: Instant | None = None


class CallbackList(PageThen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    case_id: UUID | None = None
    state: callbacks.CallbackState | None = None
    scheduled_by: Code | None = None
    due_before: Instant | None = None


class OfferList(PageThen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    case_id: UUID | None = None
    state: goodwill.OfferState | None = None
    offered_by: Code | None = None


class RiskList(PageThen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: TargetKind | None = None
    due_before: Instant | None = None
    queue: QueueName | None = None
    """The queue that the case waits in, or came from."""
    case_id: UUID | None = None


class ClockList(RiskList, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state: ClockState | None = None
    """As it stands now."""


class SolutionList(PageThen, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: solutions.Kind | None = None
    status: solutions.LibraryStatus | None = None
    proposer: Proposer | None = None
    product: Short | None = None
    category: Short | None = None


async def list_cases(asked: Asked) -> paging.Page[cases.Case]:
    """The cases, those received last first; an agent's own."""
    return await listed(asked, cases.listed, owner=scope.own(asked.caller, asked.params.owner))


async def list_queues(asked: Asked) -> paging.Page[agent_queues.Queue]:
    """The queues in which anything waits, and what is due first in each."""
    desk = asked.desk
    book = await desk.books.latest()
    return paging.Page(await agent_queues.queues(desk.pool, asked.ledger, book, asked.now), None)


async def list_queue_items(asked: Asked) -> paging.Page[agent_queues.Item]:
    """What waits in a queue, in the order in which it is to be taken on: those escalated highest,
    those with an overdue clock, those with the least open time until one is due, the gravest, the
    oldest."""
    queue = bodies.converted(asked.ids, QueueAt).queue
    desk, page = asked.desk, asked.params
    book = await desk.books.latest()
    return await agent_queues.items(
        desk.pool, asked.ledger, queue, book, asked.now, after=page.after, limit=page.limit
    )


async def list_clocks(asked: Asked) -> paging.Page[sla_clocks.Clock]:
    """The clocks as they stand now, those due first first, and paused ones at the end; for an
    agent, of the cases that are theirs or nobody's."""
    return await clocks(asked)


async def list_at_risk(asked: Asked) -> paging.Page[sla_clocks.Clock]:
    """The clocks that nobody has answered and that have come to their first warning, or past
    their end: the most overdue first. For an agent, of the cases that are theirs or nobody's."""
    return await clocks(asked, at_risk=True)


async def clocks(asked: Asked, *, at_risk: bool = False) -> paging.Page[sla_clocks.Clock]:
    actor, case_id = asked.caller.actor, asked.params.case_id
    if case_id is not None:
        await scope.readable(asked.caller, case_id)
    return await listed(
        asked,
        partial(sla_clocks.listed, books=asked.desk.books, now=asked.now),
        seen_by=actor.id if actor.role is Role.AGENT else None,
        at_risk=at_risk,
    )


async def list_promises(asked: Asked) -> paging.Page[promises.Promise]:
    """The promises, those due first first; an agent's own, or those of one case."""
    made_by = await scope.of_case_or_own(asked.caller, asked.params.case_id, asked.params.made_by)
    return await listed(asked, promises.listed, made_by=made_by)


async def list_callbacks(asked: Asked) -> paging.Page[callbacks.Callback]:
    """The callbacks, those whose window ends first first; an agent's own, or those of one case."""
    scheduled_by = await scope.of_case_or_own(
        asked.caller, asked.params.case_id, asked.params.scheduled_by
    )
    return await listed(asked, callbacks.listed, scheduled_by=scheduled_by)


async def list_goodwill(asked: Asked) -> paging.Page[goodwill.Offer]:
    """The discounts and other goodwill, the newest first; an agent's own, or those of one case."""
    offered_by = await scope.of_case_or_own(
        asked.caller, asked.params.case_id, asked.params.offered_by
    )
    return await listed(asked, goodwill.listed, offered_by=offered_by)


async def list_solutions(asked: Asked) -> paging.Page[solutions.Rated]:
    """The solution library, and how well each entry and each proposer's ideas have done."""
    return await listed(asked, solutions.listed)


async def get_solution(asked: Asked) -> solutions.Rated:
    """One solution of the library, and how well it has done."""
    found = await solutions.one(asked.desk.pool, asked.ledger, asked.ids["solution_id"])
    if found is None:
        raise NotFound("solution-not-found", "the library has no such solution: check the id")
    return found


async def get_goodwill_policy(asked: Asked) -> GoodwillPolicyView:
    """The goodwill policy: the version in force, the draft, and every version published."""
    seen = await asked.desk.core.see(GoodwillPolicy, GOODWILL_POLICY_ID)
    policy: GoodwillPolicy = seen.state
    in_force = policy.at(asked.desk.core.now())
    number = in_force.version if in_force else None
    return GoodwillPolicyView(number, policy.draft, policy.versions)


async def list_projections(asked: Asked) -> paging.Page[Progress]:
    """The read models, and how far behind the ledger each of them is."""
    found = await asked.desk.feed.status()
    if asked.caller.actor.role is Role.BI:
        # What went wrong may quote what went into it.
        found = [replace(one, error=one.error and "it has stopped") for one in found]
    return paging.Page(found, None)


async def listed(asked: Asked, query: Callable[..., Awaitable[T]], **scoped: Any) -> T:
    """The page of a read model that the parameters describe, narrowed to what may be seen."""
    of = asked.params.__struct_fields__
    params = {name: getattr(asked.params, name) for name in of if name not in OF_EVERY}
    return await query(asked.desk.pool, asked.ledger, **params | scoped)


QUEUED = (agent_queues.NAME, sla_clocks.NAME)
CLOCKED = (sla_clocks.NAME, cases.NAME)

QUERIES = (
    Query("/v1/cases", CaseList, PEOPLE, paging.Page[cases.Case], list_cases, (cases.NAME,)),
    Query("/v1/queues", Then, COUNTED, paging.Page[agent_queues.Queue], list_queues, QUEUED),
    Query(
        "/v1/queues/{queue:str}/items",
        PageThen,
        PEOPLE,
        paging.Page[agent_queues.Item],
        list_queue_items,
        QUEUED,
    ),
    Query(
        "/v1/sla/clocks", ClockList, COUNTED, paging.Page[sla_clocks.Clock], list_clocks, CLOCKED
    ),
    Query(
        "/v1/sla/at-risk", RiskList, COUNTED, paging.Page[sla_clocks.Clock], list_at_risk, CLOCKED
    ),
    Query(
        "/v1/promises",
        PromiseList,
        PEOPLE,
        paging.Page[promises.Promise],
        list_promises,
        (promises.NAME,),
    ),
    Query(
        "/v1/callbacks",
        CallbackList,
        PEOPLE,
        paging.Page[callbacks.Callback],
        list_callbacks,
        (callbacks.NAME,),
    ),
    Query(
        "/v1/goodwill",
        OfferList,
        PEOPLE,
        paging.Page[goodwill.Offer],
        list_goodwill,
        (goodwill.NAME,),
    ),
    Query(
        "/v1/solutions",
        SolutionList,
        COUNTED,
        paging.Page[solutions.Rated],
        list_solutions,
        (solutions.NAME,),
    ),
    Query(
        "/v1/solutions/{solution_id:uuid}",
        Then,
        COUNTED,
        solutions.Rated,
        get_solution,
        (solutions.NAME,),
    ),
    Query(
        "/v1/cases/{case_id:uuid}/clocks",
        Params,
        PEOPLE | {Role.SERVICE},
        ClocksOfCase,
        get_case_clocks,
    ),
    Query(
        "/v1/cases/{case_id:uuid}/clocks/{clock:str}/explain",
        CycleAsked,
        PEOPLE | {Role.SERVICE},
        Explained,
        explain_clock,
    ),
    Query("/v1/policies/sla", Params, PEOPLE, slabook.SlaPolicies, slabook.get_sla_policies),
    Query("/v1/cases/{case_id:uuid}", CaseAt, PEOPLE | {Role.SERVICE}, CaseFile, get_case),
    Query("/v1/cases/{case_id:uuid}/history", Page, PEOPLE, paging.Page[Told], get_history),
    Query("/v1/cases/{case_id:uuid}/replay", ReplayOf, PEOPLE, paging.Page[Replayed], get_replay),
    Query(
        "/v1/cases/{case_id:uuid}/bundle",
        proof.BundleAsked,
        proof.READERS,
        bytes,
        proof.get_bundle,
        media=("application/zip",),
    ),
    Query("/v1/policies/goodwill", Params, PEOPLE, GoodwillPolicyView, get_goodwill_policy),
    Query(f"{WHAT_IF}/{{run_id:uuid}}", Page, MAY_ASK, WhatIfRun, get_what_if),
    Query("/v1/access-log", AccessList, MAY_SEE, paging.Page[Access], list_accesses),
    Query("/v1/projections", Params, COUNTED, paging.Page[Progress], list_projections),
    Query("/v1/proof/verdict", Params, proof.READERS, Verdict, proof.get_verdict),
    Query(
        "/v1/proof/checkpoint",
        proof.CheckpointAsked,
        proof.PROVERS,
        proof.CheckpointView,
        proof.get_checkpoint,
        media=("text/plain", "application/json"),
    ),
    Query(
        "/v1/proof/checkpoints/{size:str}",
        Params,
        proof.PROVERS,
        proof.CheckpointView,
        proof.get_checkpoint_at,
    ),
    Query(
        "/v1/proof/inclusion",
        proof.InclusionAsked,
        proof.PROVERS,
        proof.Inclusion,
        proof.get_inclusion,
    ),
    Query(
        "/v1/proof/consistency",
        proof.ConsistencyAsked,
        proof.PROVERS,
        proof.Consistency,
        proof.get_consistency,
    ),
    Query(
        "/v1/proof/tile/{level:str}/{tile:path}",
        Params,
        proof.PROVERS,
        bytes,
        proof.get_tile,
        media=("application/octet-stream",),
    ),
    Query(
        "/v1/proof/restores",
        Params,
        proof.PROVERS,
        paging.Page[proof.RestoreView],
        proof.list_restores,
    ),
    Query(
        "/v1/proof/key",
        Params,
        proof.PROVERS,
        str,
        proof.get_sealing_key,
        media=("text/plain",),
    ),
)
