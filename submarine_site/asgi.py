"""The web process: pages, API and admin."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "submarine_site.settings.production")

application = get_asgi_application()
