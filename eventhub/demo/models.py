from django.db import models


class OrderStatus(models.TextChoices):
    """Where an order stands."""

    PLACED = "placed"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Order(models.Model):
    """The order service's own record of an order. Changed in one transaction with the event that tells of it."""

    order_id = models.CharField(max_length=20, primary_key=True)
    status = models.CharField(max_length=10, choices=OrderStatus, default=OrderStatus.PLACED)
    version = models.IntegerField(default=1, help_text="How many events the order's stream holds.")
    customer_id = models.CharField(max_length=20)
    email = models.CharField(max_length=200)
    total = models.CharField(max_length=30)
    currency = models.CharField(max_length=3)
    placed_at = models.DateTimeField()
    changed_at = models.DateTimeField(auto_now=True, db_index=True)

    class Meta:
        ordering = ["-placed_at"]

    def __str__(self) -> str:
        return f"order {self.order_id}: {self.status}"


class LoyaltyAccount(models.Model):
    """A customer's points, given by the handler `loyalty-points`."""

    customer_id = models.CharField(max_length=20, primary_key=True)
    points = models.BigIntegerField(default=0)
    orders = models.IntegerField(default=0)

    class Meta:
        ordering = ["-points"]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.points} points"


class DayOfBusiness(models.Model):
    """What came in on one day, booked by the handler `daily-revenue`."""

    day = models.DateField()
    currency = models.CharField(max_length=3)
    revenue_cents = models.BigIntegerField(default=0, help_text="Payments less refunds.")
    payments = models.IntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        verbose_name_plural = "days of business"
        constraints = [models.UniqueConstraint(fields=["day", "currency"], name="day_of_business_once")]

    def __str__(self) -> str:
        return f"{self.day}: {self.revenue_cents / 100:,.2f} {self.currency}"
