"""The Celery monitor for operators: Flower, behind the pages' own sign-in, to look at only.

Flower listens on a Unix socket that nobody else can open. Of its pages, those are passed on that
list workers and tasks. Its other pages show configuration, and its API runs and revokes tasks and
shuts workers down.
"""

import re
from http import HTTPStatus

import aiohttp
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from accounts.models import User
from accounts.rights import VIEW_TASK_MONITOR

# Each is one segment below a fixed folder, so that none leads out of it.
_PASSED_ON = re.compile(
    r"(?:workers|tasks|tasks/datatable|task/[0-9A-Za-z-]{1,64}"
    r"|static/favicon\.ico|static/(?:css|js)/[0-9A-Za-z][0-9A-Za-z._-]{0,100})?"
)
# Flower's own table asks by POST. It changes nothing.
_POSTED = "tasks/datatable"
_TIMEOUT = aiohttp.ClientTimeout(total=15)
_HEADERS = ("Content-Type", "Cache-Control", "ETag", "Last-Modified")


def may_view(request: HttpRequest) -> bool:
    """Whether the user of a request may see the monitor. The admin's menu asks it too."""
    return bool(request.user.is_staff and request.user.has_perm(VIEW_TASK_MONITOR))


# The table knows no CSRF token of ours.
@csrf_exempt
async def monitor(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """Pass one request on to Flower, for staff with the permission."""
    user = await request.auser()
    if not isinstance(user, User):
        return redirect_to_login(request.get_full_path())
    if not (user.is_staff and await user.ahas_perm(VIEW_TASK_MONITOR)):
        raise PermissionDenied
    # Nothing below needs the database, and the monitor may take its time.
    await sync_to_async(connections.close_all)()
    if not (request.method in {"GET", "HEAD"} or (request.method == "POST" and rest == _POSTED)):
        raise PermissionDenied
    if not _PASSED_ON.fullmatch(rest):
        return await _error_page(
            request,
            "This page is not shown here",
            "The task monitor shows workers and tasks. Its other pages show configuration or "
            "change something.",
            HTTPStatus.FORBIDDEN,
        )
    try:
        return await _pass_on(request)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return await _error_page(
            request,
            "The task monitor does not answer",
            "It may still be starting. The tasks themselves do not depend on it.",
            HTTPStatus.SERVICE_UNAVAILABLE,
        )


async def _error_page(
    request: HttpRequest, title: str, message: str, status: HTTPStatus
) -> HttpResponse:
    context = {"title": title, "message": message}
    return await sync_to_async(render)(request, "error.html", context, status=status)


async def _pass_on(request: HttpRequest) -> HttpResponse:
    if not settings.MONITOR_SOCKET:
        raise aiohttp.ClientConnectionError("no monitor is set up")
    connector = aiohttp.UnixConnector(settings.MONITOR_SOCKET)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as client,
        client.request(
            request.method or "GET",
            f"http://monitor{request.get_full_path()}",
            data=request.body or None,
            headers={"Content-Type": request.content_type or "text/plain"},
            allow_redirects=False,
        ) as answer,
    ):
        # Flower's own page of an error holds the configuration and the traceback.
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise aiohttp.ClientPayloadError(f"the monitor answered {answer.status}")
        response = HttpResponse(await answer.read(), status=answer.status)
        for name in _HEADERS:
            if name in answer.headers:
                response[name] = answer.headers[name]
        return response
