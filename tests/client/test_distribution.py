"""The client as its users have it: installed from an index, used against the whole service."""

import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from submarine_client import __version__
from tests.client.conftest import Subnb, command
from tests.environments.builder.indexes import served
from tests.environments.builder.installed import wheels_of
from tests.stack.service import CHECKOUT, Service, running, wait_until

pytestmark = [pytest.mark.stack, pytest.mark.jupyter, pytest.mark.timeout(240)]

NEEDS = ["click", "httpx", "pyyaml", "websockets"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("client-stack") / "data") as service:
        yield service


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment with the client alone."""
    folder = tmp_path_factory.mktemp("client")
    index = folder / "index"
    index.mkdir()
    for kind in ("build_sdist", "build_wheel"):
        build = f"from flit_core.buildapi import {kind}; {kind}({str(index)!r})"
        subprocess.run([sys.executable, "-c", build], cwd=CHECKOUT / "client", check=True)
    wheels_of(NEEDS, Path(sysconfig.get_path("purelib")), index)
    uv = str(Path(sys.executable).with_name("uv"))
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "UV_NO_CONFIG": "1"}
    subprocess.run(
        [uv, "venv", "--quiet", "--python", sys.executable, folder / "env"], env=env, check=True
    )
    with served(index) as url:
        subprocess.run(
            [
                *(uv, "pip", "install", "--quiet", "--no-cache", "--default-index", url),
                *("--python", folder / "env", "submarine-notebooks-client"),
            ],
            env=env,
            check=True,
        )
    return folder / "env/bin"


@pytest.fixture(scope="module")
def token(service: Service) -> str:
    user = service.users["user"]
    made = requests.post(
        f"{service.url}/api/v2/tokens/",
        json={"name": "laptop", "scopes": ["read", "launch", "access", "manage"]},
        auth=(user["name"], user["password"]),
        timeout=30,
    )
    return str(made.json()["token"])


@pytest.fixture
def subnb(service: Service, installed: Path, token: str, tmp_path: Path) -> Subnb:
    """The command, signed in."""
    subnb = command(tmp_path / "config", str(installed / "subnb"))
    done = subnb("login", service.url, typed=f"{token}\n")
    assert done.returncode == 0, done.stderr
    return subnb


def test_an_engineers_day(service: Service, subnb: Subnb, tmp_path: Path) -> None:
    asked = tmp_path / "thesis.yaml"
    asked.write_text(
        "name: thesis\nprofile: small\nenvironment: notebook-env\n"
        "variables: {MODE: fast, EPOCHS: 3, DEBUG: true}\n"
    )
    script = tmp_path / "train.py"
    script.write_text(
        "import os, sys\n"
        "print('training', sys.argv[1:], os.environ['MODE'], os.environ['EPOCHS'])\n"
        "open('result.txt', 'w').write(os.environ['DEBUG'])\n"
    )

    launched = subnb("launch", "-f", str(asked), "-o", "name")
    assert launched.returncode == 0, launched.stderr
    session = launched.stdout.strip()
    assert "starting server" in launched.stderr
    assert "\x1b" not in launched.stderr

    done = subnb("exec", "thesis", "-f", str(script), "--", "--fast")
    assert (done.returncode, done.stdout) == (0, "training ['--fast'] fast 3\n")
    assert subnb("cp", "thesis:result.txt", str(tmp_path)).returncode == 0
    assert (tmp_path / "result.txt").read_text() == "true"

    assert subnb("exec", "thesis", "6 * 7").stdout == "42\n"
    failed = subnb("exec", "thesis", "print('so far'); 1 / 0")
    assert (failed.returncode, failed.stdout) == (8, "so far\n")
    assert "ZeroDivisionError: division by zero" in failed.stderr

    inside = subnb("exec", "thesis", "import submarine_client; submarine_client.__version__")
    assert inside.stdout == f"'{__version__}'\n"

    listed = subnb("list").stdout.splitlines()
    assert listed[0].split() == ["NAME", "STATUS", "SIZE", "ENVIRONMENT", "CREATED", "ID"]
    assert listed[1].split()[:2] == ["thesis", "running"]
    assert "ServerApp" in subnb("logs", session).stdout
    opened = subnb("open", "thesis", "--print").stdout.strip()
    assert requests.get(opened, timeout=30).url.startswith(f"{service.gateway_url}/session/")

    assert subnb("stop", "thesis").returncode == 0
    stopped = subnb("exec", "thesis", "1")
    assert stopped.returncode == 1
    assert subnb("start", "thesis").returncode == 0
    assert subnb("delete", "thesis").returncode == 0
    gone = subnb("show", "thesis")
    assert (gone.returncode, gone.stdout) == (4, "")
    wait_until(lambda: not service.servers(session))


def test_ten_lines_of_python(service: Service, installed: Path, token: str, tmp_path: Path) -> None:
    program = tmp_path / "day.py"
    program.write_text(
        "from submarine_client import Client\n"
        "with Client() as client:\n"
        "    session = client.sessions.create(profile='small', environment='notebook-env')\n"
        "    session.wait(on_change=lambda info: print(info.status))\n"
        "    session.files.upload(__file__, 'work/day.py')\n"
        "    with session.kernel() as kernel:\n"
        "        kernel.run('words = open(\"work/day.py\").read().split()')\n"
        "        print(kernel.run('words[3]').text)\n"
        "    session.stop().wait('stopped')\n"
        "    session.delete()\n"
    )
    done = subprocess.run(
        [installed / "python", program],
        env={"SUBMARINE_URL": service.url, "SUBMARINE_TOKEN": token, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert (lines[-2], lines[-1]) == ("running", "'Client'")


def test_code_goes_on_while_the_gateway_is_away(service: Service, subnb: Subnb) -> None:
    assert subnb("launch", "--name", "cut", "--profile", "small", "--env", "notebook-env").stdout
    # Silent about the time of the kill: of what is just on its way there is no second sending.
    code = (
        "import time\nfor n in range(12): print(n, flush=True); time.sleep(6 if n == 3 else 0.1)\n"
        "'done'"
    )
    killer = threading.Timer(4, service.kill, ["gateway"])
    killer.start()

    done = subnb("exec", "cut", code)

    killer.join()
    assert done.stdout.splitlines() == [*map(str, range(12)), "'done'"]
    assert subnb("delete", "cut").returncode == 0


def test_large_files_and_folders_are_copied_whole(
    service: Service, subnb: Subnb, tmp_path: Path
) -> None:
    assert subnb("launch", "--name", "files", "--profile", "small", "--env", "notebook-env").stdout
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "large.bin").write_bytes(os.urandom(20 * 2**20 + 1))
    (tree / "inner" / "größe #1%.txt").write_text("small")
    (tree / "empty").touch()
    back = tmp_path / "back"
    killer = threading.Timer(1.5, service.kill, ["gateway"])
    killer.start()

    sent = subnb("cp", str(tree), "files:data/set")
    assert sent.returncode == 0, sent.stderr
    killer.join()
    fetched = subnb("cp", "files:data/set", str(back))
    assert fetched.returncode == 0, fetched.stderr

    for path in ("large.bin", "inner/größe #1%.txt", "empty"):
        assert (back / path).read_bytes() == (tree / path).read_bytes()
    assert not list(back.rglob("*.part"))
    missing = subnb("cp", "files:nothing", str(back))
    assert (missing.returncode, (back / "nothing").exists()) == (4, False)
    assert subnb("delete", "files").returncode == 0
