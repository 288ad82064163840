import logging

from celery import shared_task

from eventhub.access import audit_export

log = logging.getLogger(__name__)


@shared_task(name="access.drop_old_audit")
def drop_old_audit() -> None:
    """Apply the retention of the audit log."""
    if dropped := audit_export.drop_old():
        log.info("dropped %s audit entries older than AUDIT_RETENTION_DAYS", f"{dropped:,}")
