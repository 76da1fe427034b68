"""Our recorders pass the examination that the eventsourcing library holds for its own."""

import os
from collections.abc import Iterator

import pytest
from eventsourcing.persistence import AggregateRecorder, ProcessRecorder, TrackingRecorder
from eventsourcing.tests import application, persistence
from eventsourcing.utils import Environment

from casecore.blocking import (
    BlockingAggregateRecorder,
    BlockingApplicationRecorder,
    BlockingProcessRecorder,
    BlockingTrackingRecorder,
    Factory,
)


@pytest.fixture(autouse=True)
def as_persistence_module(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSISTENCE_MODULE", "casecore.blocking")
    monkeypatch.setenv("CASECORE_DATABASE_URL", database_url)


class Made:
    """A factory as a stock application would make it, and closed after the test."""

    @pytest.fixture(autouse=True)
    def factory_(self, as_persistence_module: None) -> Iterator[None]:
        self.factory = Factory(Environment(env=os.environ))
        yield
        self.factory.close()


class TestAggregateRecorder(Made, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder()


class TestSnapshotRecorder(Made, persistence.AggregateRecorderTestCase):
    def create_recorder(self) -> AggregateRecorder:
        return self.factory.aggregate_recorder(purpose="snapshots")


class TestApplicationRecorder(
    Made, persistence.ApplicationRecorderTestCase[BlockingApplicationRecorder]
):
    def create_recorder(self) -> BlockingApplicationRecorder:
        return self.factory.application_recorder()

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class TestOrder(Made, persistence.NonInterleavingNotificationIDsBaseCase):
    def create_recorder(self) -> BlockingApplicationRecorder:
        return self.factory.application_recorder()


class TestTrackingRecorder(Made, persistence.TrackingRecorderTestCase):
    def create_recorder(self) -> TrackingRecorder:
        return self.factory.tracking_recorder()


class TestProcessRecorder(Made, persistence.ProcessRecorderTestCase):
    def create_recorder(self) -> ProcessRecorder:
        return self.factory.process_recorder()


class SpecialTrackingRecorder(BlockingTrackingRecorder):
    pass


class TestInfrastructureFactory(persistence.InfrastructureFactoryTestCase[Factory]):
    def setUp(self) -> None:
        self.env = Environment("Examined", os.environ)
        super().setUp()

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[BlockingAggregateRecorder]:
        return BlockingAggregateRecorder

    def expected_application_recorder_class(self) -> type[BlockingApplicationRecorder]:
        return BlockingApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[BlockingTrackingRecorder]:
        return BlockingTrackingRecorder

    def tracking_recorder_subclass(self) -> type[BlockingTrackingRecorder]:
        return SpecialTrackingRecorder

    def expected_process_recorder_class(self) -> type[BlockingProcessRecorder]:
        return BlockingProcessRecorder


class TestExampleApplication(application.ExampleApplicationTestCase):
    expected_factory_topic = "casecore.blocking:Factory"


def test_a_factory_may_be_closed_twice(database_url: str) -> None:
    factory = Factory({"CASECORE_DATABASE_URL": database_url})
    factory.close()
    factory.close()
    assert factory.store.loop.is_closed()
