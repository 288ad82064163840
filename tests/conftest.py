import pytest
from django.db import connection


@pytest.fixture(autouse=True)
def _forget_committed_events(request):
    """Committed events outlive a test that commits: the table refuses to be emptied, which is the point of it."""
    yield
    marker = request.node.get_closest_marker("django_db")
    commits = (marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames
    if commits:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # triggers do not fire
            cursor.execute("DELETE FROM events_event")
            cursor.execute("SET session_replication_role = DEFAULT")
