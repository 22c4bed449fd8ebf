"""Calls every method for notebooks and environments of the released SDK, as its users do, and
prints what came of each as JSON. It runs in an environment of its own, which has nothing of ours.

    python drive.py <host> [<token>]
"""

import json
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from submarine.client.api.auth_api import AuthApi
from submarine.client.api.environment_client import EnvironmentClient
from submarine.client.api.notebook_client import NotebookClient
from submarine.client.exceptions import ApiException
from submarine.client.models import (
    EnvironmentSpec,
    KernelSpec,
    LoginParam,
    NotebookMeta,
    NotebookPodSpec,
    NotebookSpec,
)

host, *token = sys.argv[1:]
notebooks, environments = NotebookClient(host=host), EnvironmentClient(host=host)
for client in (notebooks.notebook_api.api_client, environments.environment_api.api_client):
    if token:
        client.set_default_header("Authorization", f"Bearer {token[0]}")

name = f"nb-{uuid4().hex[:8]}"
told: dict[str, Any] = {"name": name}


def refusal(call: Callable[[], object]) -> list[object]:
    """Status and body of what is refused."""
    try:
        return ["taken", call()]
    except ApiException as error:
        return [error.status, json.loads(error.body)]


def notebook(**meta: str) -> NotebookSpec:
    return NotebookSpec(
        meta=NotebookMeta(**{"name": name, "namespace": "default", "owner_id": "someone", **meta}),
        environment=EnvironmentSpec(name="notebook-env"),
        spec=NotebookPodSpec(env_vars={"TEST_ENV": "test"}, resources="cpu=1,memory=1.0Gi"),
    )


def environment(*packages: str, image: str | None = None) -> EnvironmentSpec:
    return EnvironmentSpec(
        name=f"{name}-env",
        docker_image=image,
        kernel_spec=KernelSpec(
            name="team_default_python_3.7", channels=["defaults"], pip_dependencies=list(packages)
        ),
    )


# Declared as a text, it is the envelope as Python writes it.
told["ping"] = notebooks.notebook_api.ping2()
told["created"] = notebooks.create_notebook(notebook())
notebook_id = told["created"]["notebookId"]
told["again"] = refusal(lambda: notebooks.create_notebook(notebook()))
told["got"] = notebooks.get_notebook(notebook_id)
told["got_async"] = notebooks.get_notebook_async(notebook_id).get().result
told["listed"] = notebooks.list_notebooks(user_id="4291d7da9005377ec9aec4a71ea837f")
told["listed_async"] = notebooks.list_notebooks_async(user_id="x").get().result
sized = notebook(name=f"{name}-sized")
sized.spec = NotebookPodSpec(cpu="2", memory="4Gi")
told["sized"] = notebooks.create_notebook(sized)["spec"]["spec"]
sized = notebook(name=f"{name}-huge")
sized.spec = NotebookPodSpec(cpu="2", gpu="8", memory="4Gi")
told["huge"] = refusal(lambda: notebooks.create_notebook(sized))
# As people write them, where the client's models say that they are texts.
scalars = notebook(name=f"{name}-scalars")
scalars.spec = NotebookPodSpec(
    env_vars={"A": 1, "B": True, "C": 1.5, "D": None, "E": "010"}, cpu=1, gpu=0, resources="disk=1"
)
told["scalars"] = notebooks.create_notebook(scalars)["spec"]["spec"]
told["deleted"] = notebooks.delete_notebook(notebook_id)
told["gone"] = refusal(lambda: notebooks.get_notebook(notebook_id))
told["gone_async"] = refusal(lambda: notebooks.delete_notebook_async(notebook_id).get())
told["anew"] = notebooks.create_notebook(notebook())["name"]
for each in notebooks.list_notebooks(user_id="x"):
    notebooks.delete_notebook_async(each["notebookId"]).get()
told["left"] = notebooks.list_notebooks(user_id="x")

told["environment"] = environments.create_environment(environment("pyarrow==0.17.0"))
told["environment_again"] = refusal(lambda: environments.create_environment(environment()))
told["environment_updated"] = environments.update_environment(f"{name}-env", environment("six"))
told["environment_got"] = environments.get_environment(f"{name}-env")
told["environment_got_async"] = environments.get_environment_async(f"{name}-env").get().result
told["environments"] = environments.list_environments()
told["environments_async"] = environments.list_environments_async(status="x").get().result
told["environment_deleted"] = environments.delete_environment(f"{name}-env")
environments.create_environment_async(environment("six")).get()
told["environment_deleted_async"] = (
    environments.delete_environment_async(f"{name}-env").get().result
)
told["environment_gone"] = refusal(lambda: environments.get_environment(f"{name}-env"))

auth = AuthApi(api_client=notebooks.notebook_api.api_client)
told["sign_in"] = refusal(lambda: auth.token(login_param=LoginParam(username="a", password="b")))

sys.stdout.write(json.dumps(told))
