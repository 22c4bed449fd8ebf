"""The web process: `python -m submarine_site.web`, until SIGTERM or SIGINT.

Everything that serves the pages and the API starts this module, so that the server's limits are the
same everywhere.
"""

import os
from argparse import ArgumentParser

import uvicorn

from submarine_site.core.heads import BoundedHeads

GRACE_SECONDS = 5
"""How long requests go on after the signal. An open page holds its event stream for much longer."""

KEEP_ALIVE_SECONDS = 75
"""Longer than clients and proxies pause: a request that is sent as the server closes is lost."""


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "submarine_site.settings.production")
    parser = ArgumentParser(prog="web", description="Serve the pages, the API and the admin.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8000, type=int, help="port to listen on")
    parser.add_argument("--fd", type=int, help="inherited listening socket, instead of an address")
    parser.add_argument(
        "--forwarded-allow-ips",
        metavar="ADDRESSES",
        help="proxies whose X-Forwarded-For is believed: addresses and networks, separated by "
        "commas, '*' for all, '' for none (default: $FORWARDED_ALLOW_IPS, or else 127.0.0.1)",
    )
    parser.add_argument("--quiet", action="store_true", help="log warnings and errors alone")
    options = parser.parse_args()
    uvicorn.run(
        "submarine_site.asgi:application",
        host=options.host,
        port=options.port,
        fd=options.fd,
        http=BoundedHeads,
        proxy_headers=options.forwarded_allow_ips != "",
        forwarded_allow_ips=options.forwarded_allow_ips,
        access_log=not options.quiet,
        log_level="warning" if options.quiet else "info",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    main()
