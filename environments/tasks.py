"""The Celery tasks of builds: each looks at what is there, and may be delivered twice."""

from celery import shared_task

from environments import lifecycle


@shared_task
def advance() -> None:
    """Take every unfinished build as far as it goes; requires and leaves any state."""
    lifecycle.advance()


@shared_task
def discard_unused() -> None:
    """Discard builds that nobody has used for long. Requires built, leaves discarded."""
    lifecycle.discard_unused()
