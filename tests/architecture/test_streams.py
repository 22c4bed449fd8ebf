"""Views hold a thread and a database connection for no longer than they compute."""

from collections.abc import Iterator
from inspect import iscoroutinefunction
from pathlib import Path

from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver

from submarine_site.asgi import MONITOR


def views(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, object]]:
    for each in resolver.url_patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLPattern):
            yield path, each.callback
        else:
            yield from views(each, path)


def test_asynchronous_views_are_where_they_are_run_as_such() -> None:
    paths = {path for path, view in views(get_resolver()) if iscoroutinefunction(view)}
    assert {path for path in paths if not path.startswith(MONITOR)} == set()


def test_what_is_streamed_is_a_stream_that_is_counted() -> None:
    ours = [
        path for path in Path(settings.BASE_DIR).glob("[!.]*/**/*.py") if "tests" not in str(path)
    ]
    named = {path.name for path in ours if "StreamingHttpResponse" in path.read_text()}
    assert named == {"streams.py"}
