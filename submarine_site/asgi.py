"""The web process: pages, API and admin.

Django runs as WSGI in a few threads, which costs a request half of what Django's own way from ASGI
into threads and back costs. Event streams and exports leave the threads before they are sent
(`core.streams`). The task monitor alone, which waits for another process, is an asynchronous view.
"""

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

# Names the settings, and the broker for what requests enqueue.
import submarine_site.celery  # noqa: F401
from submarine_site.core.bodies import BoundedBodies, Receive, Scope, Send
from submarine_site.core.buffered import BufferedResponses
from submarine_site.core.cookies import PlainCookies
from submarine_site.core.streams import Streams
from submarine_site.core.threads import InThreads
from submarine_v1.paths import PathCredentials

THREADS = 4
"""More would wait for each other, at a cost: the interpreter runs one at a time, and the database
answers within a millisecond. Two of them may wait for a worker (`notebooks.logs`).
"""

MONITOR = "/admin/monitor/"
"""Below it all views are asynchronous, and no others are."""

_in_threads = InThreads(
    get_wsgi_application(),
    threads=THREADS,
    streams=Streams(
        per_user=settings.STREAMS_PER_USER,
        total=settings.STREAMS,
        seconds=settings.STREAM_TIME.total_seconds(),
    ),
)
_asynchronous = BufferedResponses(get_asgi_application())


async def _by_path(scope: Scope, receive: Receive, send: Send) -> None:
    is_asynchronous = scope["type"] != "http" or scope["path"].startswith(MONITOR)
    await (_asynchronous if is_asynchronous else _in_threads)(scope, receive, send)


# First, so that nothing behind it, the server's own log included, sees a credential in a path.
application = PathCredentials(
    PlainCookies(BoundedBodies(_by_path, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
)
