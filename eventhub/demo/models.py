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
