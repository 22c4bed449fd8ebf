"""Examples of the audit log: what Ada's launch left in it."""

from submarine_site.core.examples import ADA, ADA_ID, LAUNCHED, SESSION, SESSION_ID

ENTRY = {
    "id": 4182,
    "at": LAUNCHED,
    "actor": {"id": ADA_ID, "name": ADA},
    "on_behalf_of": None,
    "action": "session.created",
    "object": {"kind": "session", "id": SESSION_ID, "name": SESSION},
    "channel": "api",
    "address": "192.0.2.14",
    "before": {},
    "after": {"profile": "Small", "environment": "Python"},
}

EXPORT = (
    "id,at,actor_id,actor,on_behalf_of_id,on_behalf_of,action,kind,object_id,object,channel,"
    "address,before,after\r\n"
    f"4182,2026-03-02T09:15:04.120000+00:00,{ADA_ID},{ADA},,,session.created,session,{SESSION_ID},"
    f'{SESSION},api,192.0.2.14,,"{{""environment"": ""Python"", ""profile"": ""Small""}}"\r\n'
)
