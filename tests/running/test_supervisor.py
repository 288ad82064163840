import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

import psutil
import pytest

from eventhub.running.leftovers import MARK, end_leftovers
from eventhub.running.programs import Program
from eventhub.running.supervisor import Supervisor, describe_end, pause_before_restart


def python(name: str, code: str) -> Program:
    return Program(name, (sys.executable, "-u", "-c", code))


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def supervised(*programs: Program, until: float = 20.0):
    """A supervisor on the main thread that stops when `done` is set; yields (lines, run)."""
    lines: list[tuple[str, str]] = []
    supervisor = Supervisor(programs, dict(os.environ), lambda name, line: lines.append((name, line)))
    deadline = time.monotonic() + until

    def run(done) -> None:
        def look() -> None:
            if done() or time.monotonic() > deadline:
                supervisor.ask_to_stop()

        supervisor.run(look)
        assert time.monotonic() < deadline, lines

    yield lines, run


def test_what_a_program_prints_is_shown_with_its_name():
    with supervised(python("greeter", "import time; print('hello'); time.sleep(60)")) as (lines, run):
        run(lambda: ("greeter", "hello") in lines)


def test_a_program_that_ends_is_started_again_and_the_others_go_on():
    ended = python("short", "import sys; print('again'); sys.exit(3)")
    steady = python("steady", "import os, time; print(os.getpid()); time.sleep(60)")
    with supervised(ended, steady) as (lines, run):
        run(lambda: lines.count(("short", "again")) >= 2)
    assert ("short", "ended with exit code 3; starting it again in 1 s") in lines
    assert len([line for name, line in lines if name == "steady"]) == 1


def test_stopping_reaches_programs_that_do_not_listen_and_their_children():
    stubborn = python(
        "stubborn",
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(os.getpid(), child.pid)\n"
        "time.sleep(600)",
    )
    lines: list[str] = []
    supervisor = Supervisor([stubborn], dict(os.environ), lambda name, line: lines.append(line))

    def look() -> None:
        if lines:
            supervisor.ask_to_stop()
            # A person who is impatient asks twice.
            threading.Timer(0.5, supervisor.ask_to_stop).start()

    begun = time.monotonic()
    supervisor.run(look)
    assert time.monotonic() - begun < 10
    deadline = time.monotonic() + 5  # the child's end is the kernel's to tell its new parent
    while any(map(is_alive, map(int, lines[0].split()))):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_program_that_was_killed_is_told_apart():
    assert describe_end(-signal.SIGKILL) == "was ended by SIGKILL"
    assert describe_end(-200) == "was ended by signal 200"
    assert describe_end(0) == "ended with exit code 0"


def test_the_pause_doubles_up_to_half_a_minute():
    assert [pause_before_restart(n) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert pause_before_restart(10_000) == 30


def test_what_an_earlier_run_left_behind_is_ended_and_nothing_else(tmp_path):
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    left = psutil.Popen(sleeper, env={**os.environ, MARK: str(tmp_path)})
    other = psutil.Popen(sleeper, env={**os.environ, MARK: str(tmp_path / "other")})
    try:
        time.sleep(0.2)
        assert end_leftovers(tmp_path) == 1
        assert not left.is_running()
        assert other.is_running()
    finally:
        other.kill()
        other.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_program_ends_with_a_supervisor_that_is_killed(tmp_path):
    pid_file = tmp_path / "pid"
    parent = psutil.Popen(
        [
            sys.executable,
            "-c",
            "import os, sys, time\n"
            "from eventhub.running.programs import Program\n"
            "from eventhub.running.supervisor import Supervisor\n"
            f"code = \"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)\"\n"
            "program = Program('p', (sys.executable, '-c', code))\n"
            "Supervisor([program], dict(os.environ), lambda name, line: None).run()\n",
        ]
    )
    deadline = time.monotonic() + 20
    while not (pid_file.exists() and pid_file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    child = psutil.Process(int(pid_file.read_text()))
    parent.kill()
    parent.wait()
    child.wait(5)
