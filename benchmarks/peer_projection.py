"""A read model as a user of the `eventsourcing` library would write it, and its own runner."""

from time import perf_counter
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from benchmarks.peer_app import EVENTS_PER_CASE, Complaint, Complaints
from benchmarks.peers import stock_environment

SECONDS_MAX = 60.0


class CaseRows(PostgresTrackingRecorder):
    """A row a case, written in one transaction with how far it has come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        table = Identifier(self.datastore.schema), Identifier("stock_cases")
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {}.{} (case_id uuid PRIMARY KEY, customer text,"
                " updates int NOT NULL, last text)"
            ).format(*table)
        )
        self.upsert = SQL(
            "INSERT INTO {}.{} AS c (case_id, customer, updates, last)"
            " VALUES (%(case_id)s, %(customer)s, %(updates)s, %(last)s)"
            " ON CONFLICT (case_id) DO UPDATE SET updates = c.updates + 1, last = EXCLUDED.last"
        ).format(*table)

    def note(
        self, tracking: Tracking, case_id: UUID, customer: str | None, text: str | None
    ) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            row = {"case_id": case_id, "customer": customer, "updates": 0, "last": text}
            cursor.execute(self.upsert, row, prepare=True)


class CaseProjection(Projection[CaseRows]):
    name = "stock_cases"

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        match domain_event:
            case Complaint.Registered():
                self.view.note(tracking, domain_event.originator_id, domain_event.customer, None)
            case Complaint.ProgressUpdateSent():
                self.view.note(tracking, domain_event.originator_id, None, domain_event.text)


def followed_a_second(url: str, events: int) -> float:
    """How many events its runner takes in, once there are so many to be taken."""
    env = stock_environment(url)
    complaints = Complaints(env=env)
    for _ in range(-(-events // EVENTS_PER_CASE)):
        complaints.register(EVENTS_PER_CASE)
    last = complaints.recorder.max_notification_id()
    complaints.close()
    began = perf_counter()
    with ProjectionRunner(
        application_class=Complaints,
        projection_class=CaseProjection,
        view_class=CaseRows,
        env=env,
    ) as runner:
        runner.wait(last, timeout=SECONDS_MAX)
    return events / (perf_counter() - began)
