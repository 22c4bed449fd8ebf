"""The web process: pages, API and admin."""

import warnings

from django.conf import settings
from django.core.asgi import get_asgi_application

# Names the settings, and the broker for what requests enqueue.
import submarine_site.celery  # noqa: F401
from submarine_site.core.bodies import BoundedBodies

# Of the static files that WhiteNoise serves; they are small.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous")

application = BoundedBodies(get_asgi_application(), limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
