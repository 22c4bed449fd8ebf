"""Settings of `make run`: one machine, one Unix user, loopback only."""

from submarine_site.settings.base import *  # noqa: F403

LOCAL_BACKEND_ACCEPTED = True
# Straight from the folders of the packages: there is no collectstatic step to forget.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
