"""Bookmarks: what a user starts sessions with time and again, under a name of their own."""

from django.db import IntegrityError, transaction

from accounts.models import User
from notebooks.code_access import refuse_other_credentials
from notebooks.models import Bookmark
from notebooks.picked_secrets import refuse_others
from notebooks.setup import NOTHING, Setup, checked
from submarine_site.core.errors import DomainError
from submarine_site.core.text import clean_name

MAX_BOOKMARKS = 50


def keep_bookmark(
    *, owner: User, name: str, profile: str, environment: str, setup: Setup = NOTHING
) -> Bookmark:
    """Keep a configuration. Size and environment are names: whether they can be chosen is asked
    when a session is made of it.

    Raises `InvalidInput`, or `DomainError` with `name_taken` or `too_many_bookmarks`.
    """
    clean = clean_name(name)
    chosen = checked(setup)
    refuse_others(owner, chosen)
    refuse_other_credentials(owner, chosen.code)
    if Bookmark.objects.visible_to(owner).count() >= MAX_BOOKMARKS:
        raise DomainError(
            f"You have {MAX_BOOKMARKS} bookmarks. Delete one to keep another.",
            code="too_many_bookmarks",
        )
    try:
        with transaction.atomic():
            return Bookmark.objects.create(
                owner=owner,
                name=clean,
                profile=profile,
                environment=environment,
                setup=chosen.as_json(),
            )
    except IntegrityError:
        message = f"You have a bookmark named “{clean}” already."
        raise DomainError(message, code="name_taken", fields={"name": message}) from None
