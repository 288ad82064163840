from collections.abc import Iterator

import pytest

from tests.integration.under_test import BROKERS, UnderTest


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[UnderTest]:
    """Each broker in turn."""
    under_test = BROKERS[request.param](request)
    yield under_test
    under_test.tear_down()
