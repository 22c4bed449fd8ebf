"""What a session's server says of its volumes: told to the service, never to the browser."""

from uuid import UUID, uuid4

import pytest

from notebooks.gateway.usage import MAX_BYTES, Usage
from tests.notebooks.gateway.authority import MemoryAuthority
from tests.notebooks.gateway.conftest import Upstream, serving
from volumes.contract import VolumeSeen

HEADER = "X-Submarine-Usage"
RUN, DATA = uuid4(), uuid4()
HOME = UUID("45be56f7-2763-4ecb-846c-9b3663941ba5")


@pytest.fixture
def usage(authority: MemoryAuthority) -> Usage:
    return Usage(authority)


async def heard(authority: MemoryAuthority, usage: Usage, said: bytes) -> dict[UUID, VolumeSeen]:
    usage.hear(RUN, said)
    await usage.flush()
    return dict(authority.usage[-1][RUN]) if authority.usage else {}


@pytest.mark.parametrize("within", ["api", "status-304"])
async def test_what_an_answer_says_goes_to_the_service_alone(
    authority: MemoryAuthority, upstream: Upstream, within: str
) -> None:
    upstream.extra_headers = [(HEADER, f"{HOME}=3/10")]
    async with serving(authority, upstream) as gateway, gateway.fetch(within) as response:
        assert HEADER not in response.headers
    run_id = authority.where[gateway.session_id].run_id
    assert authority.usage == [{run_id: {HOME: VolumeSeen(used_mib=3, capacity_mib=10)}}]


async def test_of_each_volume_it_is_told(authority: MemoryAuthority, usage: Usage) -> None:
    assert await heard(authority, usage, f"{HOME}=0/10 {DATA}=5/102400".encode()) == {
        HOME: VolumeSeen(used_mib=0, capacity_mib=10),
        DATA: VolumeSeen(used_mib=5, capacity_mib=102400),
    }


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"x",
        b"%s" % str(HOME).encode(),
        b"%s=1" % str(HOME).encode(),
        b"%s=-1/2" % str(HOME).encode(),
        b"%s=1/9999999999" % str(HOME).encode(),
        b"%s=\xc2\xb2/2" % str(HOME).encode(),
        b"%s=1/2," % str(HOME).encode(),
        b"../etc=1/2",
        b"%s=1/2" % str(HOME).upper().replace("-", "").encode(),
    ],
)
async def test_what_is_not_of_the_form_is_left_out(
    authority: MemoryAuthority, usage: Usage, said: bytes
) -> None:
    assert await heard(authority, usage, said) == {}
    both = said + b" %s=1/2" % str(DATA).encode()
    assert await heard(authority, usage, both) == {DATA: VolumeSeen(used_mib=1, capacity_mib=2)}


async def test_a_long_header_is_not_kept(authority: MemoryAuthority, usage: Usage) -> None:
    assert await heard(authority, usage, f"{HOME}=1/2".encode().ljust(MAX_BYTES + 1)) == {}


async def test_the_last_word_is_told_and_once(authority: MemoryAuthority, usage: Usage) -> None:
    usage.hear(RUN, f"{HOME}=1/10".encode())
    await heard(authority, usage, f"{HOME}=2/10".encode())
    await usage.flush()
    assert authority.usage == [{RUN: {HOME: VolumeSeen(used_mib=2, capacity_mib=10)}}]


async def test_what_cannot_be_written_does_no_harm(
    authority: MemoryAuthority, usage: Usage
) -> None:
    authority.down = True
    assert await heard(authority, usage, f"{HOME}=1/10".encode()) == {}
    authority.down = False
    assert await heard(authority, usage, f"{HOME}=1/10".encode()) != {}
