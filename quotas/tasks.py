"""Mail about requests for more, where mail is configured. Each may be delivered twice."""

from celery import shared_task

from quotas import mail
from quotas.models import QuotaRequest


# Where the mail server is away, or will not take it now, it is tried again for half an hour.
@shared_task(autoretry_for=(OSError,), retry_backoff=30, max_retries=6)
def tell_operators(request_id: str) -> None:
    """Tell who can decide that there is a request; of one that is decided nothing is said."""
    for request in _requests(request_id):
        if request.state == QuotaRequest.State.OPEN:
            mail.tell_operators(request)


@shared_task(autoretry_for=(OSError,), retry_backoff=30, max_retries=6)
def tell_user(request_id: str) -> None:
    """Tell the user what was decided."""
    for request in _requests(request_id):
        mail.tell_user(request)


def _requests(request_id: str) -> list[QuotaRequest]:
    return list(QuotaRequest.objects.filter(pk=request_id).select_related("user", "decided_by"))
