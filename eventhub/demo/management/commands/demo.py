import asyncio
import os
import signal
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from eventhub.demo.elsewhere import BadBrokers, Elsewhere, read_brokers
from eventhub.demo.setup import set_up
from eventhub.demo.shop import Options, run


class Command(BaseCommand):
    """Open the demo shop."""

    help = (
        "Play a shop of eleven services over Redis Streams and the outbox (and other brokers if wanted), with "
        "everything that goes wrong in one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The options; their defaults can be given in the environment."""
        default = Options()
        parser.add_argument(
            "--rate",
            type=float,
            default=_number("DEMO_RATE", default.rate),
            help="events a second, receipts not counted (default: %(default)s, or DEMO_RATE)",
        )
        parser.add_argument(
            "--failures",
            type=float,
            default=_number("DEMO_FAILURES", default.failures),
            help="the share of orders on which something fails, 0 to 1 (default: %(default)s, or DEMO_FAILURES)",
        )
        parser.add_argument(
            "--seed",
            type=int,
            default=default.seed,
            help="which stories the orders tell; the same seed tells the same (default: %(default)s)",
        )
        parser.add_argument("--duration", type=float, help="close after so many seconds (default: never)")
        parser.add_argument("--orders", type=int, help="close after so many orders (default: never)")
        parser.add_argument(
            "--past-orders",
            type=int,
            default=default.past_orders,
            help="orders of the half hour before the shop first opened (default: %(default)s; 0 for none)",
        )
        parser.add_argument(
            "--brokers",
            default=os.environ.get("DEMO_BROKERS", ""),
            help="where some topics live instead of Redis: kafka, rabbitmq, sqs, separated by commas (default: "
            "DEMO_BROKERS)",
        )
        parser.add_argument(
            "--no-sins",
            action="store_true",
            default=os.environ.get("DEMO_SINS", "1") == "0",
            help="exemplary event design: none of the flaws in docs/demo.md (default: DEMO_SINS=0)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        if options["rate"] <= 0:
            raise CommandError("--rate must be above 0. To have no demo at all, set DEMO=0.")
        if not 0 <= options["failures"] <= 1:
            raise CommandError("--failures is a share: give a number from 0 to 1, such as 0.05.")
        chosen = Options(
            rate=options["rate"],
            failures=options["failures"],
            seed=options["seed"],
            sins=not options["no_sins"],
            duration_s=options["duration"],
            orders=options["orders"],
            past_orders=options["past_orders"],
        )
        try:
            brokers = read_brokers(options["brokers"], os.environ)
        except BadBrokers as error:
            raise CommandError(str(error)) from None
        set_up(brokers, sins=chosen.sins)
        self.stdout.write(f"The shop is open: {chosen.rate:g} events/s. Stop it with Ctrl-C.")
        asyncio.run(_until_stopped(chosen, brokers))


async def _until_stopped(options: Options, brokers: Sequence[Elsewhere]) -> None:
    loop = asyncio.get_running_loop()
    shop = asyncio.create_task(run(options, settings.REDIS_URL, brokers))
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, shop.cancel)
    try:
        await shop
    except asyncio.CancelledError:
        return


def _number(name: str, default: float) -> float:
    text = os.environ.get(name) or str(default)
    try:
        return float(text)
    except ValueError:
        raise CommandError(f"{name} is {text!r}; give a number, such as {default:g}.") from None
