"""Alert rules, channels and silences in the admin; what watches over everything else is shown on pages."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from eventhub.access.audit import actor_of, record
from eventhub.brokers.secrets.scrubbing import scrub
from monitoring.alerts.forms import ChannelForm
from monitoring.alerts.models import AlertRule, Channel, Notice, Silence
from monitoring.alerts.sending import deliver


@admin.register(AlertRule)
class AlertRuleAdmin(admin.ModelAdmin[AlertRule]):
    """Which fields count depends on the condition; docs/alerts.md says which."""

    list_display = ("name", "condition", "metric", "event_type", "source", "enabled")
    list_filter = ("condition", "enabled")
    filter_horizontal = ("channels",)
    search_fields = ("name",)
    fieldsets = (
        (None, {"fields": ("name", "enabled", "condition")}),
        (
            "What is looked at",
            {"fields": ("metric", "event_type", "source", "group", "window_s", "objective")},
        ),
        ("When it is too much", {"fields": ("above", "below", "compare_s", "for_s", "keep_firing_s")}),
        ("Who is told", {"fields": ("channels",)}),
    )


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin[Channel]):
    """Choose channels and the action below to see whether a message arrives."""

    form = ChannelForm
    list_display = ("name", "kind", "address", "enabled")
    actions = ("send_test",)

    @admin.action(description="Send a test message")
    def send_test(self, request: HttpRequest, channels: QuerySet[Channel]) -> None:
        """Send one now, and say what came of it."""
        for channel in channels:
            try:
                deliver(Notice(pk=0, channel=channel, what="test"))
            except Exception as error:  # noqa: BLE001 - the person is told
                self.message_user(request, f"{channel.name}: not sent: {scrub(str(error))}", messages.ERROR)
            else:
                self.message_user(request, f"{channel.name}: sent.", messages.SUCCESS)
            record(actor_of(request), "test", f"alert channel {channel.name}")


@admin.register(Silence)
class SilenceAdmin(admin.ModelAdmin[Silence]):
    """Made on the Alerts page, ended here or there."""

    list_display = ("__str__", "made_by", "until", "reason")
    exclude = ("made_by",)

    def save_model(self, request: HttpRequest, obj: Silence, form: object, change: bool) -> None:
        """Note who made it."""
        obj.made_by = obj.made_by or request.user.get_username()
        super().save_model(request, obj, form, change)
