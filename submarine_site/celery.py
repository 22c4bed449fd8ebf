"""The Celery application: launches, stops, reconciliation and all that is periodic."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import worker_init
from django.conf import settings
from django.db import DatabaseError, connection

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "submarine_site.settings.production")

_PREFIX = "CELERY_"

app = Celery("submarine")
# For all threads, not only the one that imports this: requests are answered in others.
app.set_default()
# Copied one by one: given the settings module, Celery would take every setting of the service into
# its own configuration, which `celery report`, remote control and the task monitor show.
app.config_from_object(
    {
        name.removeprefix(_PREFIX).lower(): getattr(settings, name)
        for name in dir(settings)
        if name.startswith(_PREFIX)
    }
)
app.autodiscover_tasks()

logger = logging.getLogger(__name__)


@worker_init.connect
def note_baseline(**_: Any) -> None:
    """Note what the database knows before this worker takes its first task."""
    # Django is set up by now, and was not when this module was imported.
    from notebooks import orphans  # noqa: PLC0415

    try:
        orphans.note_baseline()
    except DatabaseError as error:
        # An older baseline holds more runs, never fewer.
        logger.warning("the newest run is not noted: %s", error)
    finally:
        # Neither connections nor the threads of their pool may be inherited by the processes that
        # this one forks.
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
