"""The Celery application: launches, stops, reconciliation and all that is periodic."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "submarine_site.settings.production")

app = Celery("submarine")
# For all threads, not only the one that imports this: requests are answered in others.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
