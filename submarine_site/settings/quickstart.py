"""Settings of `make run`: one machine, one Unix user, loopback only."""

from submarine_site.settings.base import *  # noqa: F403
from submarine_site.settings.base import ALLOWED_HOSTS, LOGGING

LOCAL_BACKEND_ACCEPTED = True
# What people type as well; it leads to the address that was announced.
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost"]
# JupyterLab asks several times a second; that would drown what the other processes say.
LOGGING["loggers"]["notebooks.gateway.access"] = {"level": "WARNING"}

# Straight from the folders of the packages: there is no collectstatic step to forget.
STATIC_ROOT = None
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
STORAGES = {
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
