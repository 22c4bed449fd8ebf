"""Every address of the web process."""

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import include, path

from accounts import views as accounts
from submarine_site.core.responses import NOT_FOUND, error_response, wants_api
from submarine_site.monitor import monitor

urlpatterns = [
    # One page to sign in on: the admin's own would go past the sign-in's record and words.
    path("admin/login/", accounts.admin_sign_in),
    path("admin/logout/", accounts.sign_out),
    path("admin/monitor/", monitor, name="monitor"),
    path("admin/monitor/<path:rest>", monitor),
    path("admin/", admin.site.urls),
    path("sign-in", accounts.SignInView.as_view(), name="sign-in"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path("account", accounts.account, name="account"),
    path("account/tokens", accounts.create_token, name="token-create"),
    path("account/tokens/<uuid:pk>/revoke", accounts.revoke_token, name="token-revoke"),
    path("account/sign-out-everywhere", accounts.sign_out_everywhere, name="sign-out-everywhere"),
    path("", include("notebooks.urls")),
]


def _error(
    request: HttpRequest, code: str, title: str, message: str, status: int
) -> HttpResponseBase:
    if wants_api(request):
        return error_response(code, message, status=status)
    return render(request, "error.html", {"title": title, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    return _error(request, "bad_request", "Bad request", "The request cannot be read.", 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    return _error(request, "forbidden", "Not allowed", "You may not do this.", 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:  # noqa: ARG001
    return _error(request, "not_found", "Not found", NOT_FOUND, 404)


def server_error(request: HttpRequest) -> HttpResponseBase:
    message = "Something went wrong on our side. Try again; if it stays, tell an operator."
    return _error(request, "internal", "Something went wrong", message, 500)


handler400 = bad_request
handler403 = forbidden
handler404 = not_found
handler500 = server_error
