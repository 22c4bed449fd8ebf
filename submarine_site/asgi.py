"""The web process: pages, API and admin."""

from django.core.asgi import get_asgi_application

# Names the settings, and the broker for what requests enqueue.
import submarine_site.celery  # noqa: F401

application = get_asgi_application()
