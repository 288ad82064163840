"""The Celery application: `celery -A eventhub worker`, and with ``--ingest`` the broker taps too."""

import os

from celery import Celery

from eventhub.ingest import bootstep

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventhub.settings")

app = Celery("eventhub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
bootstep.install(app)
