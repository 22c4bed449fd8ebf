"""How long a session goes on, for the pages of its JupyterLab. To ask is no use of the session: who
leaves a tab open is not at it.
"""

from datetime import UTC, datetime

from aiohttp import web

from notebooks.gateway.addresses import OWN_PREFIX
from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.contract import Route
from notebooks.gateway.pages import own_headers
from notebooks.gateway.statuses import session_page

LIMITS = f"{OWN_PREFIX}limits"


def limits(config: GatewayConfig, route: Route) -> web.Response:
    """The seconds until it is stopped, and until it is stopped if it is idle; null: never. In
    seconds, because browsers' clocks are not ours.
    """
    now = datetime.now(UTC)  # noqa: TID251 - no Django here
    return web.json_response(
        {
            "seconds_left": _until(route.stops_at, now),
            "idle_seconds_left": _until(route.idle_stop_at, now),
            "page": session_page(config, route.session_id).url,
        },
        headers=own_headers(),
    )


def _until(at: datetime | None, now: datetime) -> int | None:
    return None if at is None else max(0, int((at - now).total_seconds()))
