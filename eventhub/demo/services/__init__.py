"""The shop's services, one module each. Each can be read, and copied, on its own."""

from eventhub.demo.service import Service
from eventhub.demo.services.billing import Billing
from eventhub.demo.services.crm import Crm
from eventhub.demo.services.customer import Customer
from eventhub.demo.services.email import Email
from eventhub.demo.services.insights import Insights
from eventhub.demo.services.inventory import Inventory
from eventhub.demo.services.order import Order
from eventhub.demo.services.payment import Payment
from eventhub.demo.services.recommendation import Recommendation
from eventhub.demo.services.shipping import Shipping

SERVICES: tuple[type[Service], ...] = (
    Order,
    Payment,
    Inventory,
    Shipping,
    Email,
    Customer,
    Billing,
    Crm,
    Recommendation,
    Insights,
)
