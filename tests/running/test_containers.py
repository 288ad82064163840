"""The container files and the Procfile agree with what `manage.py up` runs."""

import re
import shlex

import pytest
import yaml

from eventhub.running.options import read_options
from eventhub.running.programs import programs
from tests.services.product import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PROGRAMS = programs(read_options({}, ROOT / "var"))
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def test_compose_runs_the_same_programs_and_every_service_it_stands_on():
    assert {program.name for program in PROGRAMS} <= set(COMPOSE)
    assert {"postgres", "redis", "rabbitmq", "kafka", "elasticmq"} <= set(COMPOSE)


def test_the_procfile_names_the_same_programs():
    assert list(PROCFILE) == [program.name for program in PROGRAMS]


@pytest.mark.parametrize("name", ["ingest", "tasks", "handlers", "beat"])
def test_workers_are_started_the_same_way_everywhere(name):
    own = next(program for program in PROGRAMS if program.name == name)
    arguments = own.command[own.command.index("-A") :]
    assert tuple(shlex.split(PROCFILE[name])[1:]) == arguments
    assert tuple(COMPOSE[name]["command"][1 : len(arguments) + 1]) == arguments


@pytest.mark.parametrize("name", sorted(COMPOSE))
def test_every_service_has_a_health_check_or_says_that_it_needs_none(name):
    assert {"test", "disable"} & set(COMPOSE[name]["healthcheck"])


@pytest.mark.parametrize("name", sorted(COMPOSE))
def test_every_port_is_published_on_this_machine_only(name):
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE[name].get("ports", []))


def test_the_image_holds_every_package():
    copied = (ROOT / "Dockerfile").read_text()
    for package in ("eventhub", "monitoring", "dlq", "templates", "static", "manage.py"):
        assert package in copied
    assert "USER eventhub" in copied


def test_ci_runs_lint_and_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    readme = (ROOT / "README.md").read_text()
    assert "make test " in readme
    assert "lint" in script
    assert script.rstrip().endswith("make --no-print-directory test")


def test_every_link_between_the_documents_leads_somewhere():
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
        if not (document.parent / target).exists()
    ]
    assert broken == []


def test_every_environment_variable_of_the_settings_is_documented():
    names = re.findall(
        r'_(?:env\.get|flag|list|number)\("([A-Z_]+)"', (ROOT / "eventhub" / "settings.py").read_text()
    )
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert [name for name in names if f"`{name}`" not in documented] == []
