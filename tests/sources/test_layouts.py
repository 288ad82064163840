"""Every broker's form asks for everything that its config holds, in the right way."""

import json
from typing import Any, get_args

import msgspec
import pytest

from eventhub.brokers.config import example, parse_config
from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.configs.fields import secret_names
from eventhub.brokers.models import Source
from eventhub.pages import icons
from eventhub.sources.form import SourceForm
from eventhub.sources.layouts import LAYOUTS


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_each_field_of_the_config_is_asked_for(kind):
    assert {ask.field for ask in LAYOUTS[kind].asks() if ask.field} == set(CONFIGS[kind].__struct_fields__)


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_what_is_secret_is_asked_for_as_a_secret_and_nothing_else_is(kind):
    asked = {ask.field for ask in LAYOUTS[kind].asks() if ask.widget in ("secret", "secret-pem")}
    assert asked == secret_names(CONFIGS[kind])


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_each_choice_offers_what_the_config_takes(kind):
    types = {field.name: field.type for field in msgspec.structs.fields(CONFIGS[kind])}
    for ask in LAYOUTS[kind].asks():
        if ask.field and ask.options:
            assert set(ask.options) == set(_words(types[ask.field]))


def _words(annotation: Any) -> list[str]:
    """The texts of the Literal inside an annotation."""
    arguments = get_args(annotation)
    return [w for a in arguments for w in ([a] if isinstance(a, str) else _words(a))]


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_every_condition_names_a_question_and_its_answers(kind):
    questions = {ask.name: ask for ask in LAYOUTS[kind].asks()}
    assert len(questions) == len(LAYOUTS[kind].asks())
    conditions = [one for part in LAYOUTS[kind].parts for one in part.when.items()]
    for ask in questions.values():
        for name, answers in [*ask.when.items(), *conditions]:
            assert set(answers) <= set(questions[name].options)
    assert icons.svg(LAYOUTS[kind].icon)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(CONFIGS))
def test_a_config_that_is_shown_and_sent_back_untouched_stays_the_same(kind):
    config = json.loads(example(kind))
    source = Source.objects.create(name="shop", kind=kind, config=config)
    stored = Source.objects.get()
    form = SourceForm(kind, stored)
    sent = {"name": "shop", "role": "events", "enabled": "on"}
    sent |= {field.name: field.text for section in form.sections for field in section.fields}
    again = SourceForm(kind, stored, sent).draft()
    assert again is not None
    assert again.secrets == source.secrets
    assert {name: stored.config[name] for name in again.config} == again.config
    assert parse_config(kind, again.config) == parse_config(kind, stored.config)
