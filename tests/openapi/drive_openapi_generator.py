"""Drives a client that openapi-generator has generated: create, read, list, change, delete.

Usage: drive_openapi_generator.py URL TOKEN. Prints JSON: what each call returned. The client goes
to the server that the schema names.
"""

import json
import sys

import generated
from generated.api.me_api import MeApi
from generated.api.sessions_api import SessionsApi

url, token = sys.argv[1:]
configuration = generated.Configuration(access_token=token)
assert configuration.host == url, configuration.host

with generated.ApiClient(configuration) as client:
    me = MeApi(client).me_retrieve()
    sessions = SessionsApi(client)
    made = sessions.sessions_create_with_http_info(
        generated.SessionCreateRequest(
            profile="small", environment="notebook-env", name="generated"
        )
    )
    session = made.data
    read = sessions.sessions_retrieve_with_http_info(session.id)
    changed = sessions.sessions_partial_update_with_http_info(
        session.id,
        if_match=read.headers["etag"],
        patched_session_update_request=generated.PatchedSessionUpdateRequest(name="renamed"),
    )
    try:
        sessions.sessions_destroy(session.id, if_match='"stale"')
        stale = None
    except generated.ApiException as error:
        stale = [error.status, json.loads(error.body)["code"]]
    listed = sessions.sessions_list()
    deleted = sessions.sessions_destroy_with_http_info(session.id, if_match=changed.headers["etag"])
    try:
        sessions.sessions_retrieve(session.id)
        gone = None
    except generated.ApiException as error:
        gone = [error.status, json.loads(error.body)["code"]]

told = {
    "me": me.username,
    "email": me.to_dict()["email"],
    "created": [
        made.status_code,
        session.name,
        made.headers["location"] == f"{url}/api/v2/sessions/{session.id}",
    ],
    "read": [read.status_code, read.data.name],
    "changed": [changed.status_code, changed.data.name],
    "stale": stale,
    "listed": [each.name for each in listed.results],
    "deleted": deleted.status_code,
    "gone": gone,
}
sys.stdout.write(json.dumps(told))
