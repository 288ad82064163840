"""Who buys in the shop, and what."""

from typing import Any

from eventhub.demo.stories import Dice

CUSTOMERS = 400
FIRST_NAMES = [
    "Ada",
    "Amira",
    "Bruno",
    "Chiara",
    "David",
    "Elif",
    "Emil",
    "Fatima",
    "Greta",
    "Hugo",
    "Ida",
    "Jonas",
    "Katja",
    "Lars",
    "Leïla",
    "Mateo",
    "Milan",
    "Nora",
    "Olga",
    "Paulo",
    "Rosa",
    "Samir",
    "Signe",
    "Theo",
    "Valérie",
    "Yusuf",
]
LAST_NAMES = [
    "Adler",
    "Bianchi",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "García",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Keller",
    "Lindqvist",
    "Moreau",
    "Nowak",
    "Öztürk",
    "Petersen",
    "Rossi",
    "Schäfer",
    "Tanaka",
    "Urban",
    "Vogel",
    "Weiß",
]
STREETS = (
    "Lindenweg",
    "Hafenstraße",
    "Rue des Tanneurs",
    "Via Garibaldi",
    "Mill Lane",
    "Søndergade",
    "Kerkstraat",
)
CITIES = (
    ("50667", "Köln", "DE"),
    ("04109", "Leipzig", "DE"),
    ("1050", "Wien", "AT"),
    ("69001", "Lyon", "FR"),
    ("40126", "Bologna", "IT"),
    ("8000", "Aarhus", "DK"),
    ("3511", "Utrecht", "NL"),
)
PRODUCTS = (
    ("KTL-100", "Enamel kettle, 1.2 l", 4900),
    ("LMP-220", "Desk lamp, oak", 8950),
    ("BLK-015", "Wool blanket", 12900),
    ("CUP-004", "Stoneware cups, set of 4", 3600),
    ("KNF-070", "Bread knife", 5450),
    ("CHR-310", "Folding chair", 11800),
    ("RUG-120", "Jute rug, 120 × 180", 15900),
    ("TOW-008", "Linen tea towels, set of 3", 2750),
    ("DSK-500", "Standing desk", 62400),
    ("PEN-001", "Fountain pen", 3950),
)


def customer(number: int, dice: Dice) -> dict[str, Any]:
    """One of the shop's regular customers: always the same person under the same number."""
    first = FIRST_NAMES[number % len(FIRST_NAMES)]
    last = LAST_NAMES[number * 7 % len(LAST_NAMES)]
    postcode, city, country = CITIES[number % len(CITIES)]
    return {
        "customer_id": f"c-{1000 + number}",
        "email": f"{first}.{last}{number}@mail.example".lower(),
        "ship_to": {
            "name": f"{first} {last}",
            "street": f"{STREETS[number % len(STREETS)]} {1 + int(dice.roll('house', number) * 90)}",
            "postcode": postcode,
            "city": city,
            "country": country,
        },
    }


def basket(order_id: str, dice: Dice) -> list[dict[str, Any]]:
    """One to three products, with quantities and prices in cents."""
    size = 1 + int(dice.roll("size", order_id) ** 2 * 3)
    first = int(dice.roll("product", order_id) * len(PRODUCTS))
    lines = []
    for line in range(size):
        sku, name, cents = PRODUCTS[(first + line * 3) % len(PRODUCTS)]
        quantity = 1 + int(dice.roll("quantity", order_id, line) ** 3 * 4)
        lines.append({"sku": sku, "name": name, "quantity": quantity, "price_cents": cents})
    return lines
