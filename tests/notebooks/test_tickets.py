"""One-time codes and tickets: once, for one session, for a while."""

import json
import time
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.signing import TimestampSigner
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from notebooks import tickets
from notebooks.tickets import Credential, Leave, issue_code, read_ticket, redeem_code
from submarine_site.core.digests import digest
from submarine_site.core.errors import DomainError
from submarine_site.core.redis import client
from submarine_site.core.signed import verify
from tests.threads import at_once

LEAVE = Leave(session_id=uuid4(), user_id=17, credential=Credential.SIGN_IN, credential_id=uuid4())


def test_a_code_is_changed_for_a_ticket() -> None:
    issued = redeem_code(LEAVE.session_id, issue_code(LEAVE))
    assert issued is not None
    assert issued.leave == LEAVE
    life = issued.expires_at - timezone.now()
    assert timedelta(hours=11, minutes=59) < life <= timedelta(hours=12)
    read = read_ticket(LEAVE.session_id, issued.value)
    assert read is not None
    assert (read.leave, read.value) == (LEAVE, issued.value)
    assert abs(read.expires_at - issued.expires_at) < timedelta(milliseconds=1)


def test_a_code_works_once() -> None:
    code = issue_code(LEAVE)
    assert redeem_code(LEAVE.session_id, code) is not None
    assert redeem_code(LEAVE.session_id, code) is None


def test_a_code_for_another_session_is_spent_in_vain() -> None:
    code = issue_code(LEAVE)
    assert redeem_code(uuid4(), code) is None
    assert redeem_code(LEAVE.session_id, code) is None


@pytest.mark.parametrize("code", ["", "x", "é", "\0", "*", "x" * 100_000])
def test_a_code_that_was_never_given_opens_nothing(code: str) -> None:
    issue_code(LEAVE)
    assert redeem_code(LEAVE.session_id, code) is None
    assert read_ticket(LEAVE.session_id, code) is None


def test_a_code_lasts_thirty_seconds() -> None:
    code = issue_code(LEAVE)
    [key] = client().keys("gateway:code:*")
    assert 0 < client().pttl(key) <= 30_000
    client().pexpire(key, 0)
    assert redeem_code(LEAVE.session_id, code) is None


def test_a_ticket_that_has_expired_opens_nothing() -> None:
    issued = redeem_code(LEAVE.session_id, issue_code(LEAVE))
    assert issued is not None
    [key] = client().keys("gateway:ticket:*")
    assert 0 < client().ttl(key) <= 12 * 3600
    client().pexpire(key, 0)
    assert read_ticket(LEAVE.session_id, issued.value) is None


def test_a_ticket_is_for_its_own_session() -> None:
    issued = redeem_code(LEAVE.session_id, issue_code(LEAVE))
    assert issued is not None
    assert read_ticket(uuid4(), issued.value) is None
    assert read_ticket(LEAVE.session_id, issued.value) is not None


def test_a_code_is_not_a_ticket() -> None:
    assert read_ticket(LEAVE.session_id, issue_code(LEAVE)) is None


def kept() -> tuple[str, str]:
    """The one thing that Redis keeps: its name and its value."""
    [key] = client().keys("*")
    return key.decode(), client().get(key).decode()  # type: ignore[union-attr]


def test_redis_keeps_neither_code_nor_ticket() -> None:
    code = issue_code(LEAVE)
    name, value = kept()
    assert code not in name + value
    # Signed with the service's key for the name under which it is kept, and readable.
    assert verify(name, value.encode(), max_age=tickets.CODE_LIFE)["user_id"] == 17
    issued = redeem_code(LEAVE.session_id, code)
    assert issued is not None
    assert issued.value not in "".join(kept())


def put(name: str, value: object) -> None:
    """What somebody does who can write to Redis."""
    client().set(name, value if isinstance(value, str) else json.dumps(value))


FORGED = {
    "session_id": str(LEAVE.session_id),
    "user_id": 17,
    "credential": "token",
    "credential_id": str(uuid4()),
    "expires_at": 4_000_000_000.0,
}


def signed_with(key: str, name: str) -> str:
    return TimestampSigner(key=key, salt=f"redis:{name}").sign_object(FORGED)


def test_a_ticket_that_the_service_did_not_write_opens_nothing() -> None:
    name = f"gateway:ticket:{digest('forged')}"
    for value in (FORGED, "", "{}", "null", "a:b:c", signed_with("guessed", name)):
        put(name, value)
        assert read_ticket(LEAVE.session_id, "forged") is None
    put(name, signed_with(settings.SECRET_KEY, name))
    assert read_ticket(LEAVE.session_id, "forged") is not None


def test_a_code_that_the_service_did_not_write_is_spent_in_vain() -> None:
    name = f"gateway:code:{digest('forged')}"
    for value in (FORGED, "", "{}", "null", "a:b:c", signed_with("guessed", name)):
        put(name, value)
        assert redeem_code(LEAVE.session_id, "forged") is None
        assert client().keys("*") == []


def test_a_value_of_another_name_opens_nothing() -> None:
    # A ticket of somebody's is copied to the name of a ticket that the attacker knows.
    issued = redeem_code(LEAVE.session_id, issue_code(LEAVE))
    assert issued is not None
    _, value = kept()
    put(f"gateway:ticket:{digest('mine')}", value)
    assert read_ticket(LEAVE.session_id, "mine") is None
    # A code is no ticket of the same secret either.
    code = issue_code(LEAVE)
    client().rename(f"gateway:code:{digest(code)}", f"gateway:ticket:{digest(code)}")
    assert read_ticket(LEAVE.session_id, code) is None


def test_a_code_whose_life_was_made_longer_is_spent_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = issue_code(LEAVE)
    client().persist(f"gateway:code:{digest(code)}")
    later = time.time() + 32
    monkeypatch.setattr("django.core.signing.time.time", lambda: later)
    assert redeem_code(LEAVE.session_id, code) is None


def test_of_twenty_with_one_code_one_gets_a_ticket() -> None:
    code = issue_code(LEAVE)
    issued = at_once(20, lambda _: redeem_code(LEAVE.session_id, code))
    assert sum(ticket is not None for ticket in issued) == 1


def test_two_codes_are_two_tickets() -> None:
    codes = {issue_code(LEAVE), issue_code(replace(LEAVE, user_id=18))}
    values = {redeem_code(LEAVE.session_id, code).value for code in codes}  # type: ignore[union-attr]
    assert len(codes) == len(values) == 2


def test_without_redis_the_way_is_closed_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def set(self, *_: object, **__: object) -> None:
            raise RedisConnectionError

    monkeypatch.setattr(tickets, "client", Away)
    with pytest.raises(DomainError) as refusal:
        issue_code(LEAVE)
    assert (refusal.value.code, refusal.value.status) == ("gateway_unavailable", 503)
