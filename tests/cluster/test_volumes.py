"""A person's volumes through the service on a cluster: they outlive runs and sessions, grow, are
brought back from the trash, and a home that is full does not lock its owner out.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster.cluster import Administrator
from tests.cluster.service import GONE_SECONDS, OnCluster
from tests.stack.service import Program, wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(300)]

CLAIMS = "persistentvolumeclaims"
MIB = 1024**2


def create_volume(
    demo: Program, name: str, *, volume_class: str = "standard", size_mib: int = 10
) -> str:
    body = {"name": name, "volume_class": volume_class, "size_mib": size_mib}
    answer = demo.api("POST", "volumes/", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def adopt(on: OnCluster, name: str, claim: str, *, as_home: bool = False) -> str:
    """Give the demo user a volume, as an operator does."""
    owner = on.service.users["user"]["name"]
    body = {"owner": owner, "name": name, "claim": claim, "as_home": as_home}
    answer = Program(on.service, role="admin").api("POST", "volumes/adopt/", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def put(demo: Program, session: str, path: str, content: str) -> int:
    """Write a file as JupyterLab does; the status of the answer."""
    note = {"type": "file", "format": "text", "content": content}
    return demo.jupyter(session, "PUT", f"api/contents/{path}", json=note).status_code


def content_of(demo: Program, session: str, path: str) -> str:
    return str(demo.jupyter(session, "GET", f"api/contents/{path}").json()["content"])


def shown(demo: Program, volume: str) -> dict[str, Any]:
    return dict(demo.api("GET", f"volumes/{volume}/").json())


def test_what_volumes_hold_outlives_runs_and_sessions(on: OnCluster, demo: Program) -> None:
    results, archive = create_volume(demo, "results"), create_volume(demo, "archive")
    mounts = [
        {"volume": results, "path": "data/results"},
        {"volume": archive, "path": "archive", "read_only": True},
    ]
    session = demo.start(name="thesis", mounts=mounts)
    assert put(demo, session, "data/results/table.txt", "in the volume") == 201
    assert put(demo, session, "data/notes.txt", "in the home") == 201
    assert put(demo, session, "archive/table.txt", "nowhere") in {403, 500}

    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    demo.verb(session, "start")
    on.await_agreement(session, "running")
    assert content_of(demo, session, "data/results/table.txt") == "in the volume"
    assert demo.api("DELETE", f"sessions/{session}/").status_code == 204
    on.await_nothing_left()

    claims = {on.home_claim(), f"home-{results}", f"home-{archive}"}
    assert claims <= on.admin.names(CLAIMS)
    another = demo.start(mounts=[{"volume": results, "path": "found"}])
    assert content_of(demo, another, "found/table.txt") == "in the volume"
    assert content_of(demo, another, "data/notes.txt") == "in the home"


def test_sessions_that_share_a_home_run_beside_each_other(on: OnCluster, demo: Program) -> None:
    first, second = demo.start(name="first"), demo.start(name="second")
    pods = [on.await_pod(each) for each in (first, second)]
    assert [bool(pod["spec"].get("affinity")) for pod in pods] == [False, True]
    assert put(demo, first, "shared.txt", "from the first") in {200, 201}
    assert content_of(demo, second, "shared.txt") == "from the first"


def test_a_volume_goes_through_the_trash(on: OnCluster, demo: Program) -> None:
    volume = create_volume(demo, "scratch")
    session = demo.start(environment="server", mounts=[{"volume": volume, "path": "scratch"}])
    refused = demo.api("DELETE", f"volumes/{volume}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "volume_in_use")
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")

    assert demo.api("DELETE", f"volumes/{volume}/").status_code == 204
    refused = demo.api("POST", f"sessions/{session}/start/")
    assert refused.status_code == 400, refused.text
    assert demo.api("POST", f"volumes/{volume}/restore/", json={}).status_code == 200
    demo.verb(session, "start")
    on.await_agreement(session, "running")
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")

    assert demo.api("DELETE", f"volumes/{volume}/").status_code == 204
    assert demo.api("POST", f"volumes/{volume}/remove/", json={}).status_code == 202
    wait_until(lambda: f"home-{volume}" not in on.admin.names(CLAIMS), seconds=GONE_SECONDS)


def test_a_volume_that_cannot_grow_here_says_so_and_stays(on: OnCluster, demo: Program) -> None:
    volume = create_volume(demo, "steady")
    wait_until(lambda: _is_bound(on.admin, f"home-{volume}"))
    grown = demo.api("PATCH", f"volumes/{volume}/", json={"size_mib": 20})
    assert grown.status_code == 200, grown.text

    wait_until(lambda: shown(demo, volume)["wanted_mib"] is None)

    now = shown(demo, volume)
    assert (now["size_mib"], now["reason_code"]) == (10, "volume_not_growable")
    assert now["reason"] == "Storage of its class does not grow in this cluster."


def _is_bound(admin: Administrator, claim: str) -> bool:
    if claim not in admin.names(CLAIMS):
        return False
    return bool(admin.api.get(f"{CLAIMS}/{claim}")["status"]["phase"] == "Bound")


def test_what_an_operator_gives_is_used_and_left(on: OnCluster, demo: Program) -> None:
    on.admin.claim("lab-data")
    volume = adopt(on, "lab", "lab-data")
    session = demo.start(mounts=[{"volume": volume, "path": "lab"}])
    assert put(demo, session, "lab/table.txt", "measured") == 201
    [claim] = [
        each["persistentVolumeClaim"]["claimName"]
        for each in on.await_pod(session)["spec"]["volumes"]
        if each["name"] == f"attached-{volume}"
    ]
    assert claim == "lab-data"
    demo.verb(session, "stop")
    on.await_agreement(session, "stopped")
    assert demo.api("DELETE", f"volumes/{volume}/").status_code == 204
    assert demo.api("POST", f"volumes/{volume}/remove/", json={}).status_code == 202
    wait_until(lambda: demo.api("GET", f"volumes/{volume}/").status_code == 404)
    assert not on.admin.api.get(f"{CLAIMS}/lab-data")["metadata"].get("labels")


@pytest.fixture
def disk(admin: Administrator, tmp_path: Path) -> Iterator[str]:
    """Storage of 4 MiB that is a file system of its own, on this machine, which is the node: the
    class that a claim has to name.
    """
    folder = tmp_path / "disk"
    folder.mkdir()
    # For the group of sessions, as a driver does that honours `fsGroup`.
    options = "size=4m,mode=2775,gid=100"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    name = f"small-{uuid4().hex[:8]}"
    volume = {
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "4Mi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": name,
            "hostPath": {"path": str(folder), "type": "Directory"},
        },
    }
    try:
        admin.api.create("/api/v1/persistentvolumes", volume)
        yield name
    finally:
        admin.api.delete(f"/api/v1/persistentvolumes/{name}")
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small_home(on: OnCluster, disk: str) -> Iterator[str]:
    """A home on that disk, in place of the one that the demo user has."""
    _leave_homes(on.demo)
    on.admin.claim(disk, storage="4Mi", storageClassName=disk)
    yield adopt(on, "home", disk, as_home=True)
    _leave_homes(on.demo)
    on.admin.api.delete(f"{CLAIMS}/{disk}")


def _leave_homes(demo: Program) -> None:
    for home in demo.api("GET", "volumes/?kind=home&state=live").json():
        assert demo.api("DELETE", f"volumes/{home['id']}/").status_code == 204


FILL = """
import shutil
open("big", "wb").write(bytes(2 * 2**20))
open("rest", "wb").write(bytes(shutil.disk_usage(".").free))
"""


def test_a_full_home_does_not_lock_its_owner_out(
    on: OnCluster, small_home: str, demo: Program
) -> None:
    session = demo.start(name="thesis")
    demo.run_cell(session, FILL)
    demo.verb(session, "stop")
    on.await_gone(session)

    demo.verb(session, "start")
    wait_until(lambda: _is_rescued(demo, session), seconds=GONE_SECONDS)

    assert "The home is full: 4 of 4 MiB." in on.page(session)
    assert demo.run_cell(session, "6 * 7") == "42"
    assert demo.jupyter(session, "DELETE", "api/contents/big").status_code == 204
    demo.verb(session, "stop")
    on.await_gone(session)
    demo.verb(session, "start")
    assert demo.wait_for(session, "running")["run"]["is_rescue"] is False
    assert demo.run_cell(session, "import os; sorted(os.listdir())[-1]") == "'rest'"


def _is_rescued(demo: Program, session: str) -> bool:
    now = demo.read(session)
    return bool(now["status"] == "running" and now["run"]["is_rescue"])


def test_how_full_a_volume_is_is_told(on: OnCluster, disk: str, demo: Program) -> None:
    on.manage(
        *("shell", "-c"),
        "from volumes.models import VolumeClass\n"
        f"VolumeClass.objects.create(name={disk!r}, display_name='Small', storage_class={disk!r})",
    )
    volume = create_volume(demo, "measured", volume_class=disk, size_mib=4)
    session = demo.start(mounts=[{"volume": volume, "path": "measured"}])
    demo.run_cell(session, "open('measured/half', 'wb').write(bytes(2 * 2**20))")

    def told() -> dict[str, Any] | None:
        # Whoever uses a session lets its server speak.
        demo.jupyter(session, "GET", "api/status")
        now = shown(demo, volume)
        return now if now["used_mib"] else None

    now = wait_until(told, seconds=GONE_SECONDS)
    assert now is not None
    assert (now["used_mib"], now["capacity_mib"]) == (2, 4)
