"""Pages and static files travel compressed; the API's answers do not."""

import gzip
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db
GZIP = {"Accept-Encoding": "gzip, br"}


def test_a_static_file_is_compressed_for_who_takes_it_and_is_the_same(client: Client) -> None:
    answer = client.get("/static/css/tokens.css", headers=GZIP)
    assert answer["Content-Encoding"] == "gzip"
    assert answer["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.content) == (ROOT / "static/css/tokens.css").read_bytes()
    assert int(answer["Content-Length"]) == len(answer.content)
    plain = client.get("/static/css/tokens.css")
    assert "Content-Encoding" not in plain
    assert b"".join(plain.streaming_content) == (ROOT / "static/css/tokens.css").read_bytes()


def test_who_has_it_already_is_told_so(client: Client) -> None:
    first = client.get("/static/css/tokens.css", headers=GZIP)
    again = client.get("/static/css/tokens.css", headers=GZIP | {"If-None-Match": first["ETag"]})
    assert again.status_code == 304


def test_a_page_is_compressed_and_an_answer_of_the_api_is_not(client: Client) -> None:
    client.force_login(User.objects.create_superuser("grace"))
    page = client.get("/sources/", headers=GZIP)
    assert page["Content-Encoding"] == "gzip"
    assert b"<html" in gzip.decompress(page.content)
    assert "Content-Encoding" not in client.get("/api/openapi.json", headers=GZIP)


def test_what_is_used_of_the_framework_s_stylesheet_is_left_of_it() -> None:
    sheet = (ROOT / "static/vendor/tabler@1.6.1/tabler.min.css").read_text()
    for used in (".btn{", ".card{", ".table{", ".form-control{", ".form-select{", ".visually-hidden"):
        assert used in sheet or used.replace("{", ",") in sheet, used
    assert ".payment-provider-visa" not in sheet
    assert len(sheet) < 200_000
