"""Settings of the tests: real PostgreSQL and Redis, cheap passwords, the fake backend."""

import os

os.environ.setdefault("SECRET_KEY", "tests only")
# Given by `tests.services` when tests run; linters and type checkers have no server.
os.environ.setdefault("DATABASE_URL", "postgres:///none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1")
os.environ.setdefault("SUBMARINE_PAGES_URL", "http://testserver")
os.environ.setdefault("SUBMARINE_GATEWAY_URL", "http://gateway.test:8001")

from submarine_site.settings.quickstart import *  # noqa: F403

if os.environ["DATABASE_URL"] == "postgres:///none":
    DATABASES = {"default": {"ENGINE": "django.db.backends.dummy"}}
# What sessions are told is told where a test says so.
SESSIONS_API_URL = ""
BACKEND = "fake"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# What is enqueued stays in this process, for `tests.broker` to look at.
CELERY_BROKER_URL = "memory://"
# Each test client would look through every static file first.
WHITENOISE_USE_FINDERS = False
