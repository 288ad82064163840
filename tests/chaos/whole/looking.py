"""What became of the events: asked of the product's database, and of its pages as a browser would."""

import contextlib
import http.cookiejar
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

import psycopg

# Sent this long ago and not stored is late. The sampling of a busy machine fits into it.
LATE_S = 4.0
# What is stored and handled later than this was held up.
USUAL_S, HANDLED_S = 1.0, 3.0
PROBE_EVERY_S = 0.5
PAGE_WITHIN_S = 15.0


class Database:
    """The product's PostgreSQL, which may be away: then it answers None."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection: psycopg.Connection[Any] | None = None

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]] | None:
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self.url, autocommit=True, connect_timeout=3, options="-c statement_timeout=10000"
                )
            return self._connection.execute(sql, values or None).fetchall()  # type: ignore[arg-type]
        except psycopg.Error:
            self.close()
            return None

    def surely(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """As `rows`, where it has to answer."""
        deadline = time.monotonic() + 60
        while (found := self.rows(sql, *values)) is None:
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.3)
        return found

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def stored(self, part: str) -> dict[str, int] | None:
        """Event id → rows."""
        rows = self.rows(
            "SELECT event_id, count(*) FROM events_event WHERE event_id LIKE %s GROUP BY 1", f"{part}:%"
        )
        return None if rows is None else dict(rows)

    def effects(self, part: str) -> dict[str, int] | None:
        """Event id → how often its handler took effect."""
        rows = self.rows(
            "SELECT event_id, count(*) FROM chaos_effect WHERE event_id LIKE %s GROUP BY 1", f"{part}:%"
        )
        return None if rows is None else dict(rows)

    def latencies(self, part: str, source: str, since: float, until: float) -> list[float]:
        """Seconds from sending to storing, of what was sent in that time; sorted."""
        return [
            row[0]
            for row in self.surely(
                "SELECT extract(epoch FROM recorded_at)::float8 - (data ->> 'sent')::float8 AS took FROM events_event"
                " WHERE event_id LIKE %s AND (data ->> 'sent')::float8 BETWEEN %s AND %s ORDER BY 1",
                *(f"{part}:chaos.{source}:%", since, until),
            )
        ]

    def late_until(self, part: str, since: float) -> float:
        """When the last event was stored or handled that took longer than usual, as a Unix time; 0 when none was."""
        ((stored, handled),) = self.surely(
            "SELECT coalesce(max(stored) FILTER (WHERE stored - sent > %s), 0)::float8,"
            " coalesce(max(handled) FILTER (WHERE handled - sent > %s), 0)::float8 FROM ("
            " SELECT (data ->> 'sent')::float8 AS sent, extract(epoch FROM recorded_at) AS stored,"
            " extract(epoch FROM at) AS handled FROM events_event LEFT JOIN chaos_effect USING (event_id)"
            " WHERE event_id LIKE %s) AS taken WHERE sent > %s",
            *(USUAL_S, HANDLED_S, f"{part}:%", since - 2.0),
        )
        return max(stored, handled)

    def false_alarms(self, since: float) -> list[str]:
        """Alerts since then that say of a source that nothing came, although something had come shortly before.

        An event is dated by the beginning of its transaction, which may end late. But a source has one at a time: of
        two, the first was over when the second began.
        """
        rows = self.surely(
            "SELECT r.name, a.fired_at::text FROM monitoring_alert a JOIN monitoring_alertrule r ON r.id = a.rule_id"
            " WHERE extract(epoch FROM a.fired_at) > %s AND 1 < (SELECT count(DISTINCT e.txid) FROM events_event e"
            " WHERE e.event_type = r.event_type"
            " AND e.recorded_at BETWEEN a.fired_at - interval '7 s' AND a.fired_at - interval '3 s')",
            since,
        )
        return [f"{name} at {at}" for name, at in rows]

    def alarmed(self, since: float, until: float) -> set[str]:
        """The sources of which an alert fired in that time."""
        rows = self.surely(
            "SELECT r.name FROM monitoring_alert a JOIN monitoring_alertrule r ON r.id = a.rule_id"
            " WHERE extract(epoch FROM a.fired_at) BETWEEN %s AND %s",
            *(since, until),
        )
        return {row[0] for row in rows}

    def alarms_on(self) -> int | None:
        """How many alerts fire now."""
        rows = self.rows(
            "SELECT count(*) FROM monitoring_alert WHERE fired_at IS NOT NULL AND cleared_at IS NULL"
        )
        return None if rows is None else rows[0][0]


@dataclass(frozen=True)
class Look:
    """One page asked for."""

    at: float
    page: str
    # 0: no answer.
    status: int
    took_s: float


class Pages:
    """Somebody who looks at page after page, logged in."""

    PAGES = ("/", "/traces/", "/sources/", "/lag/", "/dead-letters/")

    def __init__(self, url: str, password: str) -> None:
        self.url = url
        self.looks: list[Look] = []
        self._browser = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), _NoRedirect()
        )
        self._log_in(password)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pages", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(30)

    def between(self, since: float, until: float) -> list[Look]:
        return [look for look in list(self.looks) if since <= look.at and look.at + look.took_s <= until]

    def _log_in(self, password: str) -> None:
        page = self._browser.open(f"{self.url}/login/").read().decode()
        token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"username": "admin", "password": password, "csrfmiddlewaretoken": token}
        request = urllib.request.Request(
            f"{self.url}/login/", urllib.parse.urlencode(form).encode(), {"Referer": f"{self.url}/login/"}
        )
        with contextlib.suppress(urllib.error.HTTPError):  # sent on to the overview
            self._browser.open(request)
        assert self._look("/traces/").status == 200  # an empty hub's overview leads to its first steps

    def _run(self) -> None:
        number = 0
        while not self._stopped.wait(PROBE_EVERY_S):
            self.looks.append(self._look(self.PAGES[number % len(self.PAGES)]))
            number += 1

    def _look(self, page: str) -> Look:
        at, began = time.time(), time.monotonic()
        try:
            with self._browser.open(self.url + page, timeout=PAGE_WITHIN_S) as answer:
                answer.read()
                status = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        except OSError:
            status = 0
        return Look(at, page, status, time.monotonic() - began)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None
