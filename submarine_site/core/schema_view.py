"""The API's schema over HTTP. Generating it takes a second of CPU, and anybody may ask for it."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request


class SchemaView(SpectacularAPIView):
    """The schema is the same for all users, so each process generates it once for each format."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        """Return the schema as YAML or JSON, as negotiated."""
        renderer = request.accepted_renderer
        filename = f"submarine-notebooks.{renderer.format}"
        return HttpResponse(
            _rendered(renderer.format),
            content_type=f"{renderer.media_type}; charset=utf-8",
            headers={"Content-Disposition": f'inline; filename="{filename}"'},
        )


@cache
def _rendered(form: str) -> str | bytes:
    schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    renderer = OpenApiJsonRenderer() if form == "json" else OpenApiYamlRenderer()
    return renderer.render(schema, renderer_context={})
