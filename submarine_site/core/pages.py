"""What the pages have in common: forms that may be asked for in the dialog, and refusals."""

from collections.abc import Callable, Mapping
from typing import Any, Concatenate, ParamSpec, TypeAlias

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from submarine_site.core.errors import DomainError

P = ParamSpec("P")
View: TypeAlias = Callable[Concatenate[HttpRequest, P], HttpResponse]


def question(view: View[P]) -> View[P]:
    """A form that is asked for in the dialog, or as a page where there is no script."""
    methods = require_http_methods(["GET", "HEAD", "POST"])
    return login_required(methods(vary_on_headers("HX-Request")(view)))


def answered(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any],
    refusal: DomainError | None,
) -> HttpResponse:
    """A page with what was refused, if anything was, and its status."""
    status = refusal.status if refusal else 200
    return render(request, template, {**context, "refusal": refusal}, status=status)
