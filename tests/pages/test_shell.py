import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.template import engines
from django.test import Client, RequestFactory

from eventhub.pages import guide, icons, navigation
from eventhub.pages.middleware import POLICY

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return User.objects.create_user("ada", password="a-long-password-1")


@pytest.fixture
def administrator() -> User:
    return User.objects.create_superuser("grace", password="a-long-password-1")


def test_a_stranger_is_sent_to_the_login_and_back(client: Client, person: User) -> None:
    page = client.get("/traces/?q=8412")
    assert page.status_code == 302
    assert page["Location"] == "/login/?next=/traces/%3Fq%3D8412"
    signed_in = client.post(
        page["Location"], {"username": "ada", "password": "a-long-password-1", "next": "/traces/?q=8412"}
    )
    assert signed_in["Location"] == "/traces/?q=8412"


def test_a_wrong_password_is_said_and_the_name_is_kept(client: Client, person: User) -> None:
    page = client.post("/login/", {"username": "ada", "password": "wrong"}).content.decode()
    assert "That name and password do not match" in page
    assert 'value="ada"' in page


def test_an_expired_session_sends_the_whole_page_to_the_login(client: Client) -> None:
    part = client.get(
        "/traces/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/traces/?q=a"}
    )
    assert part.status_code == 204
    assert part["HX-Redirect"] == "/login/?next=%2Ftraces%2F%3Fq%3Da"


@pytest.mark.parametrize(
    "path", ["/login/", "/admin/", "/no-such-page/", "/static/css/tokens.css", "/healthz"]
)
def test_every_answer_has_the_strict_policy(client: Client, path: str) -> None:
    assert client.get(path)["Content-Security-Policy"] == POLICY


def test_the_admin_uses_our_login_and_refuses_who_is_not_staff(client: Client, person: User) -> None:
    assert client.get("/admin/login/?next=/admin/")["Location"] == "/login/?next=%2Fadmin%2F"
    client.force_login(person)
    assert client.get("/admin/", follow=True).status_code == 403


def test_the_admin_has_the_rail_and_our_tokens(client: Client, administrator: User) -> None:
    client.force_login(administrator)
    page = client.get("/admin/auth/user/").content.decode()
    assert 'class="rail"' in page
    assert "css/tokens.css" in page
    assert re.search(r'href="/admin/" aria-current="page"', page)


def test_the_rail_lists_what_the_visitor_may_see() -> None:
    labels = [entry.page.label for entry in navigation.entries(is_staff=False, current_route="trace")]
    assert labels == [
        "Overview",
        "Traces",
        "Dead letters",
        "Sources",
        "Figures",
        "Lag",
        "Storage",
        "Handlers",
        "Catalogue",
        "Flow map",
        "Processes",
        "Streams",
        "Sagas",
        "Flow review",
        "Alerts",
    ]
    current = [
        entry.page.label
        for entry in navigation.entries(is_staff=True, current_route="trace")
        if entry.current
    ]
    assert current == ["Traces"]


def test_a_page_that_is_not_there_says_where_to_go(client: Client, person: User) -> None:
    client.force_login(person)
    page = client.get("/no-such-page/")
    assert page.status_code == 404
    assert "There is nothing at this address" in page.content.decode()


def test_the_page_for_errors_needs_nothing_but_itself() -> None:
    page = engines["django"].get_template("500.html").render()
    assert "Something broke on our side" in page


def test_every_component_renders(administrator: User) -> None:
    request = RequestFactory().get("/components/?q=8412&state=broken")
    request.user = administrator
    request.resolver_match = None
    page = guide.components(request).content.decode()
    assert "Take away contains 8412" in page
    assert "Assam &lt;Second Flush&gt;" in page


def test_every_icon_that_templates_name_is_vendored() -> None:
    for path in TEMPLATES:
        for name in re.findall(r'\{% icon "([^"]+)"', path.read_text()):
            assert icons.svg(name), f"{path}: {name}"


def test_every_listed_icon_is_vendored_and_no_other() -> None:
    listed = {line for line in (ROOT / "static/icons.txt").read_text().split("\n") if line and line[0] != "#"}
    vendored = {path.stem for path in (ROOT / "static/vendor" / icons.FOLDER).glob("*.svg")}
    assert listed == vendored, "run `make vendor`"


def test_nothing_is_inline_in_a_template() -> None:
    inline = re.compile(
        r'\sstyle="|\son[a-z]+="|<style\b|<script(?![^>]*\bsrc=)(?![^>]*type="application/json")',
        re.IGNORECASE,
    )
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEMPLATES
        if (match := inline.search(path.read_text()))
    ]
    assert found == []


def test_nothing_is_loaded_from_elsewhere() -> None:
    sources = [*TEMPLATES, *(ROOT / "static/css").glob("*.css"), *(ROOT / "static/js").glob("*.js")]
    elsewhere = re.compile(r'(src|href)="https?://|url\(\s*["\']?https?:|from "https?://')
    assert [str(path) for path in sources if elsewhere.search(path.read_text())] == []


def test_every_static_file_that_a_template_names_exists() -> None:
    for path in TEMPLATES:
        for name in re.findall(r"""\{% static ['"]([^'"]+)['"]""", path.read_text()):
            assert name.startswith("admin/") or (ROOT / "static" / name).exists(), f"{path}: {name}"
