"""What happens to each order, decided by its number: the same seed tells the same stories, in any order of events."""

from enum import StrEnum
from hashlib import blake2b

import msgspec

# The shop on purpose does these things at these shares of its orders.
OLD_APP = 0.3  # still sends order.placed in version 1
SLOW_CARRIER = 0.04  # booking takes ten times as long
COMPANIES = 0.25  # want an invoice
MOVED = 0.05  # ordered to a new address
RECOMMENDED = 0.35  # looked at by the recommendation service


class Dice:
    """Chances that depend on the seed and on what they are about, not on when or where they are asked."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def roll(self, *about: object) -> float:
        """A number from 0 up to 1, always the same for the same question."""
        question = "\x1f".join(map(str, (self.seed, *about))).encode()
        return int.from_bytes(blake2b(question, digest_size=7).digest()) / 2**56

    def pick(self, weights: dict[str, float], *about: object) -> str | None:
        """One of the keys with its probability, or None with what is left to 1."""
        roll = self.roll(*about)
        for name, weight in weights.items():
            if roll < weight:
                return name
            roll -= weight
        return None


class Outcome(StrEnum):
    """How an order ends when everything works."""

    DELIVERED = "delivered"
    DECLINED = "declined"
    OUT_OF_STOCK = "out of stock"


class Trouble(StrEnum):
    """What a service stumbles over while it handles an order."""

    NONE = "none"
    CARRIER_DOWN = "carrier down"  # shipping gives up; heals later
    BAD_ADDRESS = "bad address"  # shipping gives up; comes back on every retry
    GATEWAY_HICCUP = "gateway hiccup"  # payment succeeds at its own second attempt
    STOCK_CONFLICT = "stock conflict"  # inventory succeeds at its own third attempt
    MAILBOX_REFUSED = "mailbox refused"  # e-mail gives up
    COMMA_TOTAL = "comma total"  # the customer service stumbles over "1.249,00"


class Story(msgspec.Struct, frozen=True):
    """One order's fate."""

    outcome: Outcome
    trouble: Trouble
    from_old_app: bool
    carrier_is_slow: bool
    is_company: bool
    has_moved: bool
    is_recommended: bool
    # How many events it takes to tell, receipts not counted.
    events: int


class Storyteller:
    """Tells the story of every order.

    `failures` is the share of orders on which a service stumbles; business failures (a declined card, an empty
    shelf) follow it. `sins` are the flaws in the shop's event design; without them its events are exemplary.
    """

    def __init__(self, dice: Dice, failures: float, *, sins: bool = True) -> None:
        self.dice = dice
        self.failures = failures
        self.sins = sins

    def story_of(self, order_id: str) -> Story:
        """The story of this order: always the same."""

        def happens(what: str, share: float) -> bool:
            return self.dice.roll(what, order_id) < share

        outcome = Outcome(
            self.dice.pick(
                {
                    Outcome.DECLINED: min(0.45, self.failures),
                    Outcome.OUT_OF_STOCK: min(0.35, self.failures * 0.6),
                },
                "outcome",
                order_id,
            )
            or Outcome.DELIVERED
        )
        trouble = self._trouble(order_id, outcome)
        story = Story(
            outcome=outcome,
            trouble=trouble,
            from_old_app=trouble is Trouble.COMMA_TOTAL or happens("old app", OLD_APP),
            carrier_is_slow=happens("slow carrier", SLOW_CARRIER),
            is_company=happens("company", COMPANIES),
            has_moved=happens("moved", MOVED),
            is_recommended=happens("recommended", RECOMMENDED),
            events=0,
        )
        return msgspec.structs.replace(story, events=self._length(story))

    def breaks_schema(self, order_id: str) -> bool:
        """Whether the customer service publishes a profile that breaks its schema because of this order."""
        return self.sins and self.dice.roll("breaks schema", order_id) < self.failures * 0.2

    def forgets_a_number(self, order_id: str) -> bool:
        """Whether the shipping service leaves a version out of this parcel's stream."""
        return self.sins and self.dice.roll("forgets a number", order_id) < 0.15

    def model_is_busy(self, order_id: str) -> bool:
        """Whether the recommendation service has to ask its model again and again."""
        return self.sins and self.dice.roll("model is busy", order_id) < 0.06

    def _trouble(self, order_id: str, outcome: Outcome) -> Trouble:
        weights = {
            Trouble.CARRIER_DOWN: 0.30,
            Trouble.BAD_ADDRESS: 0.14,
            Trouble.GATEWAY_HICCUP: 0.18,
            Trouble.STOCK_CONFLICT: 0.12,
            Trouble.MAILBOX_REFUSED: 0.12,
            Trouble.COMMA_TOTAL: 0.14,
        }
        if outcome is not Outcome.DELIVERED:
            return Trouble.NONE  # one misfortune is enough
        if not self.sins:
            del weights[Trouble.COMMA_TOTAL]  # it breaks the schema of the order
        shares = {str(trouble): weight * self.failures for trouble, weight in weights.items()}
        return Trouble(self.dice.pick(shares, "trouble", order_id) or Trouble.NONE)

    def _length(self, story: Story) -> int:
        match story.outcome:
            case Outcome.DECLINED:
                events = 5  # placed, declined, released, cancelled, e-mail
            case Outcome.OUT_OF_STOCK:
                events = 6  # placed, authorized, out of stock, refunded, cancelled, e-mail
            case Outcome.DELIVERED:
                # placed, authorized, reserved, confirmed, created, dispatched, completed, e-mail, profile
                events = {
                    Trouble.CARRIER_DOWN: 4,
                    Trouble.BAD_ADDRESS: 4,
                    Trouble.MAILBOX_REFUSED: 8,
                    Trouble.COMMA_TOTAL: 8,
                }.get(story.trouble, 9)
        if story.is_company and story.outcome is not Outcome.DECLINED:
            events += 2  # the invoice and its e-mail
        if story.has_moved:
            events += 7 if self.sins else 1
        return events + story.is_recommended
