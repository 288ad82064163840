"""Who asks too often waits: passwords (django-axes counts the failures), and requests to the API (counted in Redis)."""

import math
import time
from typing import Any

from axes.helpers import get_cool_off
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

WINDOW_S = 60


class TooMany(Exception):
    """More requests than are answered in a minute. The text says when to come again."""

    def __init__(self, limit: int, wait_s: int) -> None:
        super().__init__(
            f"More than {limit:,} requests in a minute. Ask again in {wait_s} s, or more rarely, or for more at once "
            "(API_RATE_LIMIT is the limit)."
        )
        self.wait_s = wait_s


def count_request(who: str, limit: int | None = None) -> None:
    """Count a request of a token or a person, to whom `limit` a minute are answered (None: API_RATE_LIMIT).

    Raises TooMany. Without Redis nobody is held up.
    """
    limit = settings.API_RATE_LIMIT if limit is None else limit
    if limit and (wait_s := over_limit(who, 1, limit, WINDOW_S)):
        raise TooMany(limit, wait_s)


def over_limit(who: str, amount: int, limit: int, window_s: int) -> int:
    """Count `amount` for `who`; the seconds to wait when that is more than `limit` in this window, else 0.

    What is alone in its window passes, however large: else it would never. Without Redis nobody is held up.
    """
    now = time.time()
    window = int(now // window_s)
    key = f"rate:{who}:{window}"
    try:
        cache.add(key, 0, window_s * 2)
        count = cache.incr(key, amount)
    except ValueError:  # Redis is away, or it was forgotten between the two
        return 0
    if count <= limit or count == amount:
        return 0
    return max(1, math.ceil((window + 1) * window_s - now))


def locked_out(request: HttpRequest, response: Any = None, credentials: Any = None) -> HttpResponse:
    """The page for who has guessed too often: how long to wait, in words. Status 429."""
    cool_off = get_cool_off(request)
    minutes = math.ceil(cool_off.total_seconds() / 60) if cool_off else 0
    page = render(request, "registration/locked_out.html", {"minutes": minutes}, status=429)
    if cool_off:
        page["Retry-After"] = str(int(cool_off.total_seconds()))
    return page
