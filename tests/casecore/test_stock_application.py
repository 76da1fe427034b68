"""A stock `eventsourcing` application reads, by its own repository, what our core wrote."""

import asyncio
from collections.abc import Iterable
from functools import reduce
from typing import Any
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import datetime_now_with_tzinfo
from eventsourcing.persistence import Mapper, StoredEvent

from casecore.actors import Actor, Role
from casecore.case.decisions.intake import HearComplaint, RegisterCase
from casecore.case.decisions.promises import MakePromise
from casecore.case.events.intake import Customer
from casecore.case.state import Case
from casecore.core import Core
from casecore.recording import EVENTS, decode_event

ADMIN = Actor("root", Role.ADMIN)


class Fact:
    """One of our events as that library wants to meet it: with its stream and version."""

    def __init__(self, stored: StoredEvent) -> None:
        self.originator_id = stored.originator_id
        self.originator_version = stored.originator_version
        self.timestamp = datetime_now_with_tzinfo()
        self.event = decode_event(stored.topic, stored.state)


class OurMapper(Mapper[UUID]):
    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        return Fact(stored_event)


class Auditing(Application[UUID]):
    def construct_mapper(self) -> Mapper[UUID]:
        return OurMapper(self.construct_transcoder())


def folded(_: Case | None, facts: Iterable[Fact]) -> Case | None:
    events = list(facts)
    if not events:
        return None
    begin = Case(UUID(str(events[0].originator_id)))
    return reduce(Case.evolve, (fact.event for fact in events), begin)


async def test_a_stock_repository_rebuilds_the_case_that_our_core_wrote(
    core: Core, database_url: str
) -> None:
    case_id = uuid4()
    register = RegisterCase(channel="phone", customer=Customer(ref="cust-42"), reason="Late")
    hear = HearComplaint(customer_finished=True)
    promise = MakePromise(kind="update", text="News tomorrow", within_seconds=86_400)
    await core.execute(Case, case_id, register, hear, promise, by=ADMIN)

    def by_the_library() -> tuple[Case, Case, list[str]]:
        with Auditing(
            env={
                "PERSISTENCE_MODULE": "casecore.blocking",
                "CASECORE_DATABASE_URL": database_url,
            }
        ) as application:
            whole: Case = application.repository.get(case_id, projector_func=folded)
            first: Case = application.repository.get(case_id, version=1, projector_func=folded)
            log = application.notification_log.select(start=1, limit=10)
            return whole, first, [notification.topic for notification in log]

    whole, first, topics = await asyncio.to_thread(by_the_library)
    assert whole == (await core.see(Case, case_id)).state
    assert (first.stage, first.intake.heard) == ("registered", False)
    assert topics == ["CaseRegistered", "ComplaintHeard", "PromiseMade"]
    assert set(topics) <= set(EVENTS)
