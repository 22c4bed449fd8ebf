"""The Celery tasks of volumes: each looks at what is there, and may be delivered twice."""

import logging

from celery import shared_task

from submarine_site.core.outside import BackendError
from volumes import lifecycle

logger = logging.getLogger(__name__)


@shared_task
def settle() -> None:
    """Take every volume as far as it goes; requires and leaves any state."""
    lifecycle.settle()


@shared_task
def measure() -> None:
    """Look how large and how full volumes are. Requires ready or failed, leaves these."""
    try:
        lifecycle.measure()
    except BackendError as error:
        logger.warning("the volumes could not be looked at: %s", error)
