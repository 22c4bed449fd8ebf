"""What to say of a session that cannot answer."""

from http import HTTPStatus
from uuid import UUID

from notebooks.gateway.config import GatewayConfig
from notebooks.gateway.contract import Route
from notebooks.gateway.refusals import Link, Refusal, not_found

RUNNING = "running"

_ON_ITS_WAY = frozenset({"requested", "starting"})
_REFRESH_SECONDS = 3


def not_running(config: GatewayConfig, session_id: UUID, route: Route | None) -> Refusal:
    """The refusal for a session that is starting, stopping, stopped, failed or gone."""
    if route is None:
        return not_found()
    link = session_page(config, session_id)
    if route.status in _ON_ITS_WAY:
        return Refusal(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            code="session_starting",
            title=f"{route.name} is starting",
            message=route.message or "It will open here as soon as it is ready.",
            link=link,
            refresh=_REFRESH_SECONDS,
        )
    if route.status == "failed":
        return Refusal(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            code="session_failed",
            title=f"{route.name} has failed",
            message=route.message or "Its page says more and can start it again.",
            link=link,
        )
    if route.status == "stopping":
        return Refusal(
            status=HTTPStatus.SERVICE_UNAVAILABLE,
            code="session_stopping",
            title=f"{route.name} is stopping",
            message="It can be started again from its page once it has stopped.",
            link=link,
        )
    return Refusal(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        code="session_stopped",
        title=f"{route.name} is stopped",
        message="Its files are kept. Start it from its page to go on.",
        link=link,
    )


def no_answer(config: GatewayConfig, session_id: UUID) -> Refusal:
    """The refusal for a session that should run and whose server is not there."""
    return Refusal(
        status=HTTPStatus.BAD_GATEWAY,
        code="no_answer",
        title="The server does not answer",
        message="The session should be running, but its Jupyter server does not answer.",
        link=session_page(config, session_id),
    )


def session_page(config: GatewayConfig, session_id: UUID) -> Link:
    return Link(url=f"{config.pages_url}/sessions/{session_id}", text="Go to its page")
