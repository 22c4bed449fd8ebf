"""Drives a client that openapi-python-client has generated: create, read, list, change, delete.

Usage: drive_openapi_python_client.py URL TOKEN. Prints JSON: what each call returned.
"""

import json
import sys
from uuid import UUID

from generated import AuthenticatedClient
from generated.api.me import me_retrieve
from generated.api.sessions import (
    sessions_create,
    sessions_destroy,
    sessions_list,
    sessions_partial_update,
    sessions_retrieve,
)
from generated.models import SessionCreateRequest
from generated.models.patched_session_update_request import PatchedSessionUpdateRequest

url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token, raise_on_unexpected_status=True)

me = me_retrieve.sync(client=client)
body = SessionCreateRequest(profile="small", environment="notebook-env", name="generated")
made = sessions_create.sync_detailed(client=client, body=body)
session = made.parsed
assert isinstance(session.id, UUID), session
read = sessions_retrieve.sync_detailed(id=session.id, client=client)
changed = sessions_partial_update.sync_detailed(
    id=session.id,
    client=client,
    body=PatchedSessionUpdateRequest(name="renamed"),
    if_match=read.headers["ETag"],
)
stale = sessions_destroy.sync_detailed(id=session.id, client=client, if_match='"stale"')
listed = sessions_list.sync(client=client)
deleted = sessions_destroy.sync_detailed(
    id=session.id, client=client, if_match=changed.headers["ETag"]
)
gone = sessions_retrieve.sync_detailed(id=session.id, client=client)

told = {
    "me": me.username,
    "email": me.email,
    "created": [
        made.status_code,
        session.name,
        made.headers["Location"] == f"{url}/api/v2/sessions/{session.id}",
    ],
    "read": [read.status_code, read.parsed.name],
    "changed": [changed.status_code, changed.parsed.name],
    "stale": [stale.status_code, stale.parsed.code],
    "listed": [each.name for each in listed.results],
    "deleted": deleted.status_code,
    "gone": [gone.status_code, gone.parsed.code],
}
sys.stdout.write(json.dumps(told))
