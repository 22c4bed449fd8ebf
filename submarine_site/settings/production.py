"""Settings of an installation that people depend on. Everything comes from the environment."""

from submarine_site.settings.base import *  # noqa: F403
from submarine_site.settings.base import HTTPS, env

SECURE_SSL_REDIRECT = HTTPS and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000 if HTTPS else 0)
# For the pages' own name: to bind the whole domain is for its owner to decide.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
