import socket
from pathlib import Path

import pytest

from eventhub.running.options import BadOption, read_options, refuse_taken_port

VAR = Path("/tmp/var")


def test_without_anything_set_it_serves_this_machine_on_port_8000_with_the_demo():
    options = read_options({}, VAR)
    assert (options.host, options.port, options.demo, options.demo_rate) == ("127.0.0.1", 8000, True, None)
    assert options.address == "http://127.0.0.1:8000/"
    assert options.is_local


def test_what_the_environment_says_is_obeyed():
    options = read_options({"HOST": "0.0.0.0", "PORT": "9000", "DEMO": "0", "DEMO_RATE": "2.5"}, VAR)
    assert (options.host, options.port, options.demo, options.demo_rate) == ("0.0.0.0", 9000, False, 2.5)
    assert options.address == "http://127.0.0.1:9000/"
    assert not options.is_local


def test_an_ipv6_host_is_shown_in_brackets():
    assert read_options({"HOST": "::1"}, VAR).address == "http://[::1]:8000/"


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"PORT": "web"}, "from 1 to 65535"),
        ({"PORT": "0"}, "from 1 to 65535"),
        ({"PORT": "65536"}, "from 1 to 65535"),
        ({"PORT": "٣"}, "from 1 to 65535"),
        ({"DEMO": "perhaps"}, "1 or 0"),
        ({"DEMO_RATE": "fast"}, "events a second"),
        ({"DEMO_RATE": "-1"}, "DEMO=0"),
        ({"DEMO_RATE": "nan"}, "events a second"),
    ],
)
def test_a_mistake_is_named_with_what_it_should_be(environ, says):
    with pytest.raises(BadOption, match=says):
        read_options(environ, VAR)


def test_a_taken_port_is_refused_and_another_proposed():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadOption, match=f"PORT={port + 1}"):
            refuse_taken_port("127.0.0.1", port)


def test_a_host_that_is_not_of_this_machine_is_refused():
    with pytest.raises(BadOption, match=r"HOST|cannot be used"):
        refuse_taken_port("192.0.2.1", 8000)
