"""The examples of docs/streams.md, run as they stand there."""

import re
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "streams.md"
BLOCKS = dict(re.findall(r"```python\n# ([^\n]+)\n(.*?)```", PAGE.read_text(), re.DOTALL))

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bank(tmp_path, monkeypatch):
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "__init__.py").write_text("")
    (tmp_path / "bank" / "aggregates.py").write_text(BLOCKS["bank/aggregates.py"])
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "bank"]:
        del sys.modules[name]


def test_the_bank_account_comes_to_120(bank):
    exec(BLOCKS["using it"], {})


def test_the_order_does_what_the_page_says():
    exec(BLOCKS["an order"], {})
