import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from notebooks.gateway.activity import Activity, is_act
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Running, Upstream, serving


async def used(
    authority: MemoryAuthority,
    upstream: Upstream,
    *,
    ws: str = "",
    socket: str = "ws",
    **fetch: str,
) -> bool:
    """Whether a gateway that served only this has seen its session used."""
    async with serving(authority, upstream) as gateway:
        if ws:
            async with gateway.connect(socket) as connection:
                await (connection.ping() if ws == "ping" else connection.send_str(ws))
                await asyncio.sleep(0.05)
        else:
            accept = {"Accept": fetch.pop("accept", "*/*")}
            within = fetch.pop("within", "api")
            async with gateway.fetch(within, headers=gateway.own | accept, **fetch) as response:
                await response.read()
    return any(gateway.session_id in seen for seen in authority.activity)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_change_is_use(authority: MemoryAuthority, upstream: Upstream, method: str) -> None:
    assert await used(authority, upstream, method=method)


@pytest.mark.parametrize(
    "within",
    [
        "git/work/branch",
        "git/work/tags",
        "git/work/status",
        "git/work/status?1764520000000",
        "git/status",
        "git/a%20folder/ünï/status",
        "git/work/remote/fetch",
        "git/work/changed_files",
        "git/work/show_prefix",
        "git/work/show_top_level",
        "nbdime/api/isgit",
    ],
)
async def test_what_an_open_repository_asks_by_itself_is_not_use(
    authority: MemoryAuthority, upstream: Upstream, within: str
) -> None:
    assert not await used(authority, upstream, method="POST", within=within)
    assert upstream.seen[0].method == "POST"


@pytest.mark.parametrize(
    ("method", "within"),
    [
        ("POST", "git/work/commit"),
        ("POST", "git/work/branch/delete"),
        ("POST", "git/status/commit"),
        ("POST", "git/work/remote/add"),
        ("POST", "git/work/commit?status"),
        ("POST", "git/work/commit?/status"),
        ("POST", "git/work/mystatus"),
        ("POST", "proxy/8080/git/work/status"),
        ("POST", "status"),
        ("POST", "nbdime/api/store"),
        ("PUT", "git/work/status"),
        ("DELETE", "git/work/remote/fetch"),
    ],
)
async def test_what_a_person_does_in_a_repository_is_use(
    authority: MemoryAuthority, upstream: Upstream, method: str, within: str
) -> None:
    assert await used(authority, upstream, method=method, within=within)


async def test_opening_a_page_is_use(authority: MemoryAuthority, upstream: Upstream) -> None:
    assert await used(authority, upstream, within="lab", accept="text/html,*/*")


KERNEL = "api/kernels/1/channels?session_id=2"


async def test_message_to_a_kernel_is_use(authority: MemoryAuthority, upstream: Upstream) -> None:
    said = '{"content": {"code": "1"}, "header": {"msg_type": "execute_request"}}'
    assert await used(authority, upstream, ws=said, socket="api/kernels/1/channels")
    assert not await used(authority, upstream, ws=said)


async def test_ping_is_not_use(authority: MemoryAuthority, upstream: Upstream) -> None:
    assert not await used(authority, upstream, ws="ping", socket="terminals/websocket/ws")


V1 = (
    b"\x03" + bytes(7) + b"shell" + b'{"msg_id": "1", "msg_type": "%b"}'
    b'{}{}{"code": "\\"msg_type\\": \\"execute_request\\""}'
)


@pytest.mark.parametrize(
    ("within", "opening", "act"),
    [
        (KERNEL, V1 % b"execute_request", True),
        (KERNEL, V1 % b"complete_request", True),
        (KERNEL, V1 % b"input_reply", True),
        (KERNEL, V1 % b"kernel_info_request", False),
        (KERNEL, V1 % b"comm_info_request", False),
        (KERNEL, V1 % b"usage_request", False),
        (KERNEL, b'{"header":{"msg_type":"history_request"}}', False),
        # Cut before it says what it is: code of someone.
        (KERNEL, b'{"content": {"code": "xxxxxxxx', True),
        ("terminals/websocket/1", b'["stdin", "ls"]', True),
        ("terminals/websocket/1", b'["set_size", 24, 80, 480, 640]', False),
        ("api/events/subscribe", b'["stdin", "ls"]', False),
        ("api/collaboration/room/1", b"\x01\x02", False),
        ("proxy/8080/", b"heartbeat", False),
    ],
)
def test_what_a_page_says_by_itself_is_not_use(within: str, opening: bytes, act: bool) -> None:  # noqa: FBT001
    assert is_act(within, opening) is act


@pytest.mark.parametrize(
    "within",
    ["api/kernels?1", "api/sessions", "api/terminals", "api/contents/a?content=0", "api/status"],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_polling_is_not_use(
    authority: MemoryAuthority, upstream: Upstream, within: str, method: str
) -> None:
    assert not await used(authority, upstream, within=within, method=method)


async def test_refused_request_is_not_use(gateway: Running) -> None:
    async with gateway.fetch("api", method="POST", headers={}) as response:
        assert response.status == 401
    assert gateway.authority.activity == []


async def test_use_is_written_in_one_batch(authority: MemoryAuthority) -> None:
    activity = Activity(authority)
    sessions = [uuid4() for _ in range(3)]
    before = datetime.now(UTC)  # noqa: TID251
    for session_id in sessions * 10:
        activity.stamp(session_id)
    await activity.flush()
    await activity.flush()
    (seen,) = authority.activity
    assert set(seen) == set(sessions)
    assert all(at >= before for at in seen.values())


async def test_use_is_kept_while_it_cannot_be_written(authority: MemoryAuthority) -> None:
    activity = Activity(authority)
    earlier, later = uuid4(), uuid4()
    activity.stamp(earlier)
    authority.down = True
    await activity.flush()
    authority.down = False
    activity.stamp(later)
    await activity.flush()
    assert [set(seen) for seen in authority.activity] == [{earlier, later}]
