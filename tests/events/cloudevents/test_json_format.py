"""The JSON format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""

import base64
import json

import pytest

from eventhub.events.decoding import decode
from eventhub.events.envelope import Undecodable
from tests.events.cloudevents.attributes import BROKER_TIME, DATA, REQUIRED, data_id, message


def read(**members):
    return decode(message(json.dumps(REQUIRED | members, ensure_ascii=False).encode(), {}))


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("type", "com.example.someevent", "com.example.someevent"),
        ("specversion", "1.0", "1.0"),
        ("source", "/mycontext", "/mycontext"),
        ("subject", "larger-context", "larger-context"),
        ("subject", None, None),
        ("id", "1234-1234-1234", "1234-1234-1234"),
        ("time", "2018-04-05T17:31:00Z", "2018-04-05T17:31:00Z"),
        ("time", None, None),
        ("datacontenttype", "application/json", "application/json"),
        ("comexampleextension1", "value", "value"),
        ("comexampleothervalue", 5, "5"),
        ("comexampleflag", False, "false"),
        ("unsetextension", None, None),
    ],
)
def test_each_type_of_the_table_is_read_and_null_is_as_if_it_were_not_there(attribute, value, text):
    assert json.loads(read(**{attribute: value}).metadata).get(attribute) == text
    assert (attribute in json.loads(read(**{attribute: value}).metadata)) is (text is not None)


def test_a_time_that_is_null_is_the_brokers():
    event = read(time=None)
    assert (event.occurred_at, event.has_producer_time) == (BROKER_TIME, False)


@pytest.mark.parametrize("value", [1.5, [], {"a": 1}])
def test_values_that_no_attribute_can_have_are_refused(value):
    with pytest.raises(Undecodable, match="The attribute x must be"):
        read(x=value)


@pytest.mark.parametrize(("content_type", "body", "data"), DATA, ids=data_id)
def test_data_in_base64_is_read_as_its_content_type_says(content_type, body, data):
    assert read(datacontenttype=content_type, data_base64=base64.b64encode(body).decode()).data == data


@pytest.mark.parametrize(
    ("members", "data"),
    [
        ({"data": {"appinfoA": "abc", "n": 1.5}}, '{"appinfoA": "abc", "n": 1.5}'),
        ({"data": "I'm just a string"}, '"I\'m just a string"'),
        ({"data": '{"a": 1}', "datacontenttype": "application/json"}, '"{\\"a\\": 1}"'),
        ({"data": "<much wow/>", "datacontenttype": "application/xml"}, '"<much wow/>"'),
        ({"data": None}, "null"),
        ({}, "null"),
        ({"data": 5, "data_base64": None}, "5"),
    ],
)
def test_data_is_the_json_value_and_a_string_is_not_read_further(members, data):
    assert read(**members).data == data
