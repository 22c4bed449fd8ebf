"""Settings of the tests: real PostgreSQL and Redis, cheap passwords, the fake backend."""

import os

os.environ.setdefault("SECRET_KEY", "tests only")
os.environ.setdefault("SUBMARINE_PAGES_URL", "http://testserver")
os.environ.setdefault("SUBMARINE_GATEWAY_URL", "http://gateway.test:8001")

from submarine_site.settings.quickstart import *  # noqa: E402, F403

BACKEND = "fake"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
