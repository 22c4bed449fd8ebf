"""The gateway process: `python -m submarine_site.gateway`, until SIGTERM or SIGINT."""

import os
import socket
from argparse import ArgumentParser

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "submarine_site.settings.production")

# It needs the tables, not the pages, the API or the admin: without these it takes a third less
# memory and starts in half the time.
settings.INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "audit",
    "accounts",
    "environments",
    "quotas",
    "volumes",
    "notebooks",
]
django.setup()

from accounts.services import TOKEN_PREFIX  # noqa: E402 - models need the apps
from notebooks.gateway.app import run  # noqa: E402
from notebooks.gateway.authority import DatabaseAuthority  # noqa: E402
from notebooks.gateway.config import GatewayConfig  # noqa: E402


def main() -> None:
    parser = ArgumentParser(prog="gateway", description="Lead browsers and programs to sessions.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8001, type=int, help="port to listen on")
    parser.add_argument("--fd", type=int, help="inherited listening socket, instead of an address")
    options = parser.parse_args()
    config = GatewayConfig(
        pages_url=settings.PAGES_URL,
        gateway_url=settings.GATEWAY_URL,
        subdomains=settings.GATEWAY_SUBDOMAINS,
        site_cookies=frozenset({settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}),
        token_prefix=TOKEN_PREFIX,
    )
    if options.fd is None:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listening = socket.create_server((options.host, options.port), family=family)
    else:
        listening = socket.socket(fileno=options.fd)
    run(DatabaseAuthority(), config, [listening])


if __name__ == "__main__":
    main()
