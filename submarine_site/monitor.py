"""The Celery monitor for operators: Flower, behind the pages' own sign-in, to look at only.

Flower listens on a Unix socket that nobody else can open; this passes on what staff ask of it.
Its controls (shut a worker down, revoke a task) are not passed on.
"""

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

_TABLE = "/admin/monitor/tasks/datatable"
_TIMEOUT = aiohttp.ClientTimeout(total=15)
_PASSED_ON = ("Content-Type", "Cache-Control", "ETag", "Last-Modified", "Location")


# Flower's own table asks by POST and knows no token of ours. It changes nothing.
@csrf_exempt
async def monitor(request: HttpRequest, rest: str = "") -> HttpResponseBase:  # noqa: ARG001
    """Pass one request on to Flower, for staff."""
    user = await request.auser()
    if not isinstance(user, User):
        return redirect_to_login(request.get_full_path())
    if not user.is_staff:
        raise PermissionDenied
    # Nothing below needs the database, and the monitor may take its time.
    await sync_to_async(connections.close_all)()
    reads = request.method in {"GET", "HEAD"}
    if not reads and not (request.method == "POST" and request.path == _TABLE):
        raise PermissionDenied
    try:
        return await _pass_on(request)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return await sync_to_async(render)(
            request,
            "error.html",
            {
                "title": "The task monitor does not answer",
                "message": "It may still be starting. The tasks themselves do not depend on it.",
            },
            status=503,
        )


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
        response = HttpResponse(await answer.read(), status=answer.status)
        for name in _PASSED_ON:
            if name in answer.headers:
                response[name] = answer.headers[name]
        return response
