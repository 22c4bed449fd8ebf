"""Creates that may be sent again: what the first answered to an `Idempotency-Key`, all are.

The key is taken, the thing made and its answer kept in one transaction. Who comes with the same key
meanwhile waits for that, and gets the answer; or does the work, where the first was refused: what
is refused keeps nothing.

An answer may hold what is shown once. So it is sealed for the client's own key, of which only a
digest is kept: who has the database and the settings cannot open it, unless the key can be guessed.
It is kept for `KEPT`, and given until it is cleaned up after that.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.viewsets import GenericViewSet

from accounts.models import KeptAnswer
from accounts.requests import user_of
from accounts.scopes import scopes_of
from accounts.sealing import Unreadable, seal_for, unseal_for
from submarine_site.core.api import IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError
from submarine_site.core.idempotency import HEADER, REPLAYED, KeyReused, clean_key

KEPT = timedelta(days=1)
_HEADERS = ("ETag", "Location")

Create = TypeVar("Create", bound=Callable[..., Response])


class AnswerUnreadable(DomainError):
    """`SECRET_KEY` has changed since, or the row was tampered with."""

    code = "answer_unreadable"

    def __init__(self) -> None:
        super().__init__(
            "What this idempotency key made is there, but its answer cannot be read any more. "
            "Look for it, or send another key to make another."
        )


def once(create: Create) -> Create:
    """Have a view's create take an `Idempotency-Key`. Goes above all other decorators."""

    @extend_schema(parameters=[IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED])
    @wraps(create)
    def made(view: GenericViewSet[Any], request: Request, **address: str) -> Response:
        key = clean_key(request.headers.get(HEADER, ""))
        if not key:
            return create(view, request, **address)
        asked = _asked(request, address)
        with transaction.atomic():
            kept, is_new = KeptAnswer.objects.get_or_create(
                user=user_of(request),
                operation=f"{view.basename}.{view.action}",
                key_digest=digest(key),
            )
            if not is_new:
                return _again(kept, key, asked)
            response = create(view, request, **address)
            kept.sealed = seal_for(key, _written(asked, response), row=kept.pk)
            kept.save(update_fields=["sealed"])
        return response

    return cast("Create", made)


def forget_old() -> None:
    """Remove the answers that were kept for `KEPT`."""
    KeptAnswer.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _asked(request: Request, address: Mapping[str, str]) -> str:
    """A digest of what is asked: body and address, and what the credential lets do, so that none
    gets to see a token of another with more scopes.
    """
    said = json.dumps([request.data, address, sorted(scopes_of(request))], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _written(asked: str, response: Response) -> str:
    headers = {name: response[name] for name in _HEADERS if name in response}
    return json.dumps([asked, response.status_code, headers, response.data], cls=JSONEncoder)


def _again(kept: KeptAnswer, key: str, asked: str) -> Response:
    try:
        written = unseal_for(key, bytes(kept.sealed), row=kept.pk)
    except Unreadable:
        raise AnswerUnreadable from None
    first, status, headers, data = json.loads(written)
    if first != asked:
        raise KeyReused
    return Response(data, status=status, headers={**headers, **REPLAYED})
