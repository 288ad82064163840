import pytest
from django.db import connection

from eventhub.sourcing.projecting import declaring, figures, projection
from tests.sourcing import crowd

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def declared():
    projection("crowd", "crowd.spoke", partitions=2)(crowd.Follower)
    yield declaring._declared["crowd"]
    del declaring._declared["crowd"]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS projection_crowd")


def rush(declared, seconds: float) -> crowd.Crowd:
    writers = crowd.Crowd(writers=8, streams=50)
    writers.run(seconds, declared, partitions=2)
    writers.check(declared)
    standing = figures.standing("crowd")
    assert (standing.state, standing.behind) == ("running", 0)
    assert standing.events == len(writers.appended)
    assert writers.rolled_back
    assert writers.conflicts
    print(
        f"{len(writers.appended)} appended, {writers.conflicts} conflicts, {writers.rolled_back} rolled back"
    )
    return writers


def test_eight_writers_on_fifty_streams_leave_no_gap_and_the_projection_equals_a_recomputation(declared):
    rush(declared, 10)


@pytest.mark.chaos
def test_the_same_for_two_minutes(declared):
    assert len(rush(declared, 120).appended) > 10_000
