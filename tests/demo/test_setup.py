import pytest
from jsonschema_rs import Draft202012Validator

from eventhub.brokers.models import Source
from eventhub.demo.purchase import as_version_1, as_version_2
from eventhub.demo.schemas import DECLARED
from eventhub.demo.services.storefront import purchase_of
from eventhub.demo.setup import set_up
from eventhub.demo.stories import Dice, Storyteller, Trouble
from eventhub.schemas.models import EventType, SchemaVersion
from tests.demo.conftest import order_with


@pytest.mark.django_db
def test_setting_up_twice_changes_nothing_and_leaves_what_people_changed():
    set_up()
    Source.objects.filter(name="shop").update(paused=True)
    EventType.objects.filter(name="email.sent").update(owner="Ops")
    before = (Source.objects.count(), EventType.objects.count(), SchemaVersion.objects.count())
    set_up()
    assert (Source.objects.count(), EventType.objects.count(), SchemaVersion.objects.count()) == before
    assert Source.objects.get(name="shop").paused
    assert EventType.objects.get(name="email.sent").owner == "Ops"


@pytest.mark.django_db
def test_types_that_were_seen_before_are_described_too():
    EventType.objects.create(name="customer.profile_updated")
    set_up()
    assert EventType.objects.get(name="customer.profile_updated").validation == "enforce"


def test_every_declared_schema_is_valid():
    for declared in DECLARED:
        for schema in declared.schemas.values():
            Draft202012Validator(schema)


def test_orders_fit_their_schemas_except_those_with_a_comma_in_the_total():
    stories = Storyteller(Dice(1), failures=0.2)
    schemas = {version: Draft202012Validator(schema) for version, schema in DECLARED[0].schemas.items()}
    for number in range(9000, 9200):
        story = stories.story_of(str(number))
        purchase = purchase_of(str(number), story, stories.dice)
        fits = story.trouble is not Trouble.COMMA_TOTAL
        assert schemas["2"].is_valid(as_version_2(purchase)) is fits
        assert schemas["1"].is_valid(as_version_1(purchase)) is fits
    assert order_with(stories, lambda story: story.trouble is Trouble.COMMA_TOTAL)
