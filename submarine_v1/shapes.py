"""What Submarine's clients are told of notebooks, environments and users. Each key is always
there, and what the command line client prints is always a text.
"""

from datetime import UTC, datetime
from typing import Any

from accounts.models import User
from environments.kernels import Kernel
from environments.models import Environment, EnvironmentVersion
from environments.packages import OWN_KERNEL
from notebooks.backends.contract import CodeSource, Phase
from notebooks.models import NotebookSession
from notebooks.setup import Setup
from notebooks.states import SessionStatus
from submarine_v1.sizes import GPU, as_text

NAMESPACE = "default"
_INSTANCE = "The notebook instance is"
_WAITING = {Phase.SCHEDULING, Phase.VOLUME, Phase.PREPARING}


def user_id(user: User) -> str:
    return str(user.pk)


def notebook(session: NotebookSession, *, deleted_at: datetime | None = None) -> dict[str, Any]:
    """A session, which is read as `notebooks.selectors.sessions_of` has it. With `deleted_at` it
    is one that was just deleted.
    """
    run = session.current_run
    assert run is not None
    status, reason = ("terminating", f"{_INSTANCE} terminating")
    if deleted_at is None:
        status, reason = _state(session)
    setup = Setup.from_json(session.setup)
    return {
        "notebookId": session.notebook_id,
        "name": session.name,
        "uid": str(run.pk),
        "url": f"/notebook/{NAMESPACE}/{session.notebook_id}/lab",
        "status": status,
        "reason": reason,
        "createdTime": _time(session.created_at),
        "deletedTime": deleted_at and _time(deleted_at),
        "spec": {
            "meta": {
                "name": session.name,
                "namespace": NAMESPACE,
                "ownerId": user_id(session.owner),
                "labels": None,
            },
            "environment": environment_spec(session.environment, session.environment_version),
            "spec": {
                "envVars": dict(setup.variables),
                "resources": as_text(run.resources, run.placement.get("gpu_resource", GPU)),
                "profile": session.profile.name,
                "code": _code(setup.code[0]) if setup.code else None,
                "volumes": [
                    {"volume": str(each.volume), "path": each.path, "readOnly": each.read_only}
                    for each in setup.mounts
                ],
            },
        },
    }


def environment(found: Environment) -> dict[str, Any]:
    """An environment, as its newest version has it."""
    assert found.newest is not None
    return {
        "environmentId": found.environment_id,
        "environmentSpec": environment_spec(found, found.newest),
    }


def environment_spec(found: Environment, version: EnvironmentVersion) -> dict[str, Any]:
    # As it was sent, where it was; else what the image brings of itself.
    kernels = version.requested or version.declared
    kernel = kernels[0] if kernels else Kernel(name=OWN_KERNEL, display_name=OWN_KERNEL)
    return {
        "name": found.name,
        "dockerImage": version.image,
        "kernelSpec": {
            "name": kernel.name,
            "channels": list(kernel.channels),
            "condaDependencies": list(kernel.conda),
            "pipDependencies": list(kernel.pip),
        },
        "description": found.description or None,
        "image": None,
    }


def user_info(user: User) -> dict[str, Any]:
    """What the workbench asks of whoever is signed in."""
    joined = _milliseconds(user.date_joined)
    role = "admin" if user.is_staff else "user"
    return {
        "id": user_id(user),
        "name": user.get_full_name() or user.get_username(),
        "username": user.get_username(),
        "password": "******",
        "avatar": "",
        "status": 1,
        "telephone": "",
        "lastLoginIp": "",
        "lastLoginTime": user.last_login and _milliseconds(user.last_login),
        "creatorId": role,
        "createTime": joined,
        "merchantCode": "",
        "deleted": 0,
        "roleId": role,
        "role": {
            "id": role,
            "name": role,
            "describe": "",
            "status": 1,
            "creatorId": "system",
            "createTime": joined,
            "deleted": 0,
            "permissions": [],
        },
    }


def signed_in(user: User, token: str) -> dict[str, Any]:
    """The row of a user who has just signed in, with the token to go on with."""
    created = _time(user.date_joined)
    return {
        "id": user_id(user),
        "userName": user.get_username(),
        "realName": user.get_full_name() or user.get_username(),
        "password": "******",
        "avatar": "",
        "sex": None,
        "status": "1",
        "phone": None,
        "email": user.email or None,
        "deptCode": None,
        "deptName": None,
        "roleCode": "admin" if user.is_staff else "user",
        "birthday": None,
        "createBy": None,
        "createTime": created,
        "updateBy": None,
        "updateTime": None,
        "deleted": 0,
        "token": token,
    }


def _state(session: NotebookSession) -> tuple[str, str]:
    """Status and reason, in the words of clients that know seven states."""
    match SessionStatus(session.status):
        case SessionStatus.RUNNING:
            return "running", f"{_INSTANCE} running"
        case SessionStatus.STOPPING:
            return "terminating", f"{_INSTANCE} terminating"
        case SessionStatus.STOPPED:
            return "not_found", f"{_INSTANCE} not found"
        case SessionStatus.FAILED:
            why = session.explanation
            return "failed", f"{_INSTANCE} failed" + (
                f": {why.message or why.title}" if why else ""
            )
        case SessionStatus.REQUESTED | SessionStatus.STARTING:
            return _launching(session)


def _launching(session: NotebookSession) -> tuple[str, str]:
    assert session.current_run is not None
    step = session.current_run.steps[-1]
    if step.phase is Phase.PULLING_IMAGE:
        return "pulling", f"{_INSTANCE} creating"
    # Queued, and there is a reason for it.
    if step.phase in _WAITING or (step.phase is Phase.QUEUED and step.detail):
        return "waiting", step.detail or "PodInitializing"
    return "creating", f"{_INSTANCE} creating"


def _code(source: CodeSource) -> dict[str, Any]:
    return {
        "syncMode": "git",
        "git": {
            "url": source.url,
            "branch": source.ref or None,
            "username": None,
            "password": None,
            "trustCerts": None,
            "credential": source.credential and str(source.credential),
        },
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
