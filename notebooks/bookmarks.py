"""Bookmarks: what a user starts sessions with time and again, under a name of their own."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User
from notebooks.chosen_setup import setup_for
from notebooks.models import Bookmark
from notebooks.setup import NOTHING, Setup
from submarine_site.core.catalogue import CATALOGUE_NAME
from submarine_site.core.errors import DomainError, InvalidInput
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
    _refuse_impossible(profile, field="profile", what="size")
    _refuse_impossible(environment, field="environment", what="environment")
    chosen = setup_for(owner, setup)
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


def _refuse_impossible(name: str, *, field: str, what: str) -> None:
    try:
        CATALOGUE_NAME(name)
    except ValidationError:
        raise InvalidInput.field(field, f"There is no such {what} that you may use.") from None
