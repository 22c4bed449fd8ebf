"""The web process: pages, API and admin.

What answers at once runs as WSGI in a few threads, which costs a request half of what Django's own
way from ASGI into threads and back costs; what lasts (live pages, the task monitor, exports) runs
as ASGI.
"""

import re

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application

# Names the settings, and the broker for what requests enqueue.
import submarine_site.celery  # noqa: F401
from submarine_site.core.bodies import BoundedBodies, Receive, Scope, Send
from submarine_site.core.threads import InThreads
from submarine_v1.paths import PathCredentials

THREADS = 4
"""More would wait for each other, at a cost: the interpreter runs one at a time, and the database
answers within a millisecond. Two of them may wait for a worker (`notebooks.logs`).
"""

LASTING = re.compile(
    r"/live$|/admin/monitor/|/api/v2/audit/export/?$|/admin/audit/auditentry/export/$"
)
"""The paths of asynchronous views, and of answers that are sent as they are made."""

_lasting = get_asgi_application()
_prompt = InThreads(get_wsgi_application(), threads=THREADS)


async def _by_path(scope: Scope, receive: Receive, send: Send) -> None:
    prompt = scope["type"] == "http" and not LASTING.match(scope["path"])
    await (_prompt if prompt else _lasting)(scope, receive, send)


# First, so that nothing behind it, the server's own log included, sees a credential in a path.
application = PathCredentials(BoundedBodies(_by_path, limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
