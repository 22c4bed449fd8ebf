"""What is done about accounts by itself."""

from celery import shared_task
from django.core.management import call_command

from accounts import idempotency, services


@shared_task
def clean_up() -> None:
    """Remove what has been over for long: browsers' sessions, sign-ins, API tokens, answers."""
    call_command("clearsessions")
    services.forget_ended()
    idempotency.forget_old()
