"""`manage.py gateway`: run the gateway until SIGTERM or SIGINT."""

import socket
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand

from notebooks.gateway.app import run
from notebooks.gateway.authority import DatabaseAuthority
from notebooks.gateway.config import GatewayConfig


class Command(BaseCommand):
    help = "Run the gateway, through which browsers and clients reach sessions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", default=8001, type=int, help="port to listen on")
        parser.add_argument(
            "--fd", type=int, help="inherited listening socket, instead of an address"
        )

    def handle(self, *, host: str, port: int, fd: int | None, **_: object) -> None:
        config = GatewayConfig(
            pages_url=settings.PAGES_URL,
            gateway_url=settings.GATEWAY_URL,
            subdomains=settings.GATEWAY_SUBDOMAINS,
            site_cookies=frozenset({settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME}),
        )
        if fd is None:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listening = socket.create_server((host, port), family=family)
        else:
            listening = socket.socket(fileno=fd)
        run(DatabaseAuthority(), config, [listening])
