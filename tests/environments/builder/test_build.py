"""The program that builds: what it installs, what it says, and how it fails."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from environments.builder.outcome import Outcome, read_outcome
from environments.builder.request import Request, Site
from environments.packages import Rules, addressed_spec, conda_spec
from tests.authority import certificates
from tests.environments.builder import channel as channels
from tests.environments.builder.indexes import add_wheel, an_index, served

CHECKOUT = Path(__file__).parents[3]

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with an_index(tmp_path_factory.mktemp("index")) as url:
        yield url


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A channel with a Python, packages of data, and a pair that cannot be together."""
    folder = tmp_path_factory.mktemp("channel")
    channels.add_python(folder)
    module = {"site-packages/ipykernel/__init__.py": b""}
    channels.add_package(folder, "ipykernel", depends=["python"], files=module, python=True)
    for version in ("1.0", "2.0"):
        files = {"share/data.txt": version.encode()}
        channels.add_package(folder, "data", version=version, files=files)
    channels.add_package(folder, "big", files={"share/big.txt": b"big" * 1024**2})
    channels.add_package(folder, "left", depends=["data 1.0"])
    channels.add_package(folder, "right", depends=["data 2.0"])
    channels.index(folder)
    return folder.as_uri()


@pytest.fixture
def request_(tmp_path: Path, index: str, channel: str) -> Request:
    """To which each test adds what it wants."""
    (tmp_path / "store").mkdir()
    return Request(
        folder=str(tmp_path / "store" / "mine"),
        name="mine",
        display_name="My packages",
        channels=(channel,),
        site=Site(indexes=(index,), seconds=60),
    )


def built(request: Request, **environment: str) -> tuple[str, Outcome]:
    """Run the program; its log and its outcome."""
    path = Path(request.folder).parents[1] / "request.json"
    path.write_text(request.as_text())
    done = subprocess.run(
        [sys.executable, "-m", "environments.builder", path],
        cwd=CHECKOUT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    log, outcome = read_outcome(done.stdout)
    assert outcome is not None
    return log, outcome


def failure(request: Request) -> tuple[str, str]:
    """Its code, and the requirement at fault. Nothing is left in the store."""
    _, outcome = built(request)
    assert not Path(request.folder).exists()
    return outcome.code, outcome.requirement


def asked(request: Request, code: str) -> str:
    """What the Python of an environment answers."""
    python = Path(request.folder, "env/bin/python")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def with_specs(request: Request, part: str, *specs: str) -> Request:
    return replace(request, conda=specs) if part == "conda" else replace(request, pip=specs)


def kernel(request: Request) -> dict[str, Any]:
    path = Path(request.folder, "share/jupyter/kernels/mine/kernel.json")
    return dict(json.loads(path.read_text()))


def test_pip_packages_are_installed_beside_a_kernel(request_: Request) -> None:
    request = replace(request_, pip=("one",))
    _, outcome = built(request)
    assert outcome.is_built
    assert asked(request, "import one, tiny, ipykernel; print(tiny.VERSION)") == "1.0"


def test_conda_packages_are_installed_with_their_prefix(request_: Request) -> None:
    request = replace(request_, conda=("python", "data <2"))
    _, outcome = built(request)
    assert outcome.is_built
    prefix = Path(request.folder, "env")
    assert (prefix / "share/data.txt").read_text() == "1.0"
    assert subprocess.check_output([prefix / "bin/prefix"], text=True).strip() == str(prefix)
    assert asked(request, "import sys, ipykernel; print(sys.prefix)") == str(prefix)


def test_conda_packages_are_named_as_conda_names_them(request_: Request, channel: str) -> None:
    name = channel.rpartition("/")[2]
    rules = Rules(channels=(channel,))
    written = ("python=3.*", "data=1.*=*0", f"{name}::left", f"{name}/linux-64::big=1.0=0")
    specs = [conda_spec(each, rules) for each in written]
    assert specs[1:3] == ["data 1.* *0", f"{name}::left"]
    conda = tuple(addressed_spec(each, rules.channels) for each in specs)
    _, outcome = built(replace(request_, conda=conda))
    assert outcome.is_built, outcome.message
    assert Path(request_.folder, "env/share/data.txt").read_text() == "1.0"


def test_pip_packages_join_those_of_conda(request_: Request) -> None:
    request = replace(request_, conda=("data",), pip=("tiny",))
    _, outcome = built(request)
    assert outcome.lock is not None
    assert [each["name"] for each in outcome.lock["conda"]] == ["data", "ipykernel", "python"]
    assert [each["name"] for each in outcome.lock["pip"]] == ["tiny"]
    assert asked(request, "import tiny, ipykernel; print(tiny.VERSION)") == "2.0"


def test_a_lock_names_each_file_by_its_hash(request_: Request) -> None:
    _, outcome = built(replace(request_, conda=("data",), pip=("tiny",)))
    assert outcome.lock is not None
    assert [len(each["sha256"]) for each in outcome.lock["conda"]] == [64, 64, 64]
    [[digest]] = [each["hashes"] for each in outcome.lock["pip"]]
    assert digest.startswith("sha256:")


def test_the_same_is_installed_from_a_lock(request_: Request, tmp_path: Path) -> None:
    _, first = built(replace(request_, conda=("data <2",), pip=("tiny<2",)))
    loose = replace(
        request_, folder=str(tmp_path / "store" / "again"), conda=("data",), pip=("tiny",)
    )
    _, second = built(replace(loose, lock=first.lock))
    assert second.lock == first.lock


def test_a_file_that_is_not_what_it_was_is_refused(request_: Request, tmp_path: Path) -> None:
    _, first = built(replace(request_, pip=("tiny",)))
    assert first.lock is not None
    first.lock["pip"][1]["hashes"] = [f"sha256:{'0' * 64}"]
    again = replace(
        request_, folder=str(tmp_path / "store" / "again"), pip=("tiny",), lock=first.lock
    )
    _, second = built(again)
    assert second.code == "build_failed"


def test_jupyter_is_told_how_to_start_the_kernel(request_: Request) -> None:
    request = replace(request_, pip=("tiny",))
    built(request)
    told = kernel(request)
    assert told["display_name"] == "My packages"
    assert told["argv"][0] == f"{request.folder}/env/bin/python"
    assert told["env"]["PYTHONPATH"] == ""
    assert told["env"]["VIRTUAL_ENV"] == f"{request.folder}/env"


def test_what_is_built_cannot_be_changed(request_: Request) -> None:
    request = replace(request_, pip=("tiny",))
    built(request)
    for part in ("env", "share"):
        for path in Path(request.folder, part).rglob("*"):
            if not path.is_symlink():
                assert path.stat().st_mode & 0o222 == 0, path


def test_what_is_built_is_not_built_again(request_: Request) -> None:
    request = replace(request_, pip=("tiny",))
    _, first = built(request)
    log, second = built(request)
    assert second == first
    assert log == "Built.\n"


def test_what_a_killed_build_left_is_removed(request_: Request) -> None:
    request = replace(request_, pip=("tiny",))
    left = Path(request.folder, "env", "bin")
    left.mkdir(parents=True)
    (left / "python").write_text("half of it")
    left.chmod(0o500)
    _, outcome = built(request)
    assert outcome.is_built


@pytest.mark.parametrize(
    ("part", "spec", "requirement"),
    [
        ("pip", "no-such-thing", "no-such-thing"),
        ("pip", "tiny==9", "tiny==9"),
        ("conda", "no-such-thing >=2", "no-such-thing >=2"),
        ("conda", "data 9.*", "data 9.*"),
    ],
)
def test_a_package_that_does_not_exist_is_named(
    request_: Request, part: str, spec: str, requirement: str
) -> None:
    assert failure(with_specs(request_, part, spec)) == ("package_not_found", requirement)


@pytest.mark.parametrize(("part", "specs"), [("pip", ("one", "two")), ("conda", ("left", "right"))])
def test_packages_that_conflict_are_told_from_missing_ones(
    request_: Request, part: str, specs: tuple[str, ...]
) -> None:
    _, outcome = built(with_specs(request_, part, *specs))
    assert outcome.code == "packages_conflict"
    assert all(spec in outcome.message for spec in specs[1:])


INDEX = "package index", "index setting (SUBMARINE_BUILD_INDEXES)"
CHANNEL = "conda channel", "channel setting (SUBMARINE_ENVIRONMENTS_CHANNELS)"


@pytest.mark.parametrize(
    ("part", "host", "reason"),
    [
        ("pip", "127.0.0.1:9", "connection refused"),
        ("pip", "ada:secret@index.invalid", "DNS lookup failed"),
        ("conda", "channel.invalid", "DNS lookup failed"),
    ],
)
def test_an_index_that_cannot_be_reached_is_told_with_its_setting(
    request_: Request, part: str, host: str, reason: str
) -> None:
    noun, setting = INDEX if part == "pip" else CHANNEL
    site = replace(
        request_.site, indexes=(f"http://{host}/simple/",), environment={"UV_HTTP_RETRIES": "0"}
    )
    request = replace(request_, channels=(f"http://{host}/channel",), site=site)
    _, outcome = built(with_specs(request, part, "tiny"))
    assert outcome.code == "index_unavailable"
    assert outcome.message == (
        f"The {noun} at {host.rpartition('@')[2]} could not be reached ({reason}). An operator can "
        f"check the {setting}."
    )
    assert not Path(request.folder).exists()


@pytest.mark.parametrize("part", ["pip", "conda"])
def test_a_site_s_own_authority_is_trusted_where_it_says_so(
    request_: Request, tmp_path: Path, part: str
) -> None:
    packages = tmp_path / "packages"
    channels.add_python(packages)
    channels.add_package(packages, "ipykernel", depends=["python"])
    channels.add_package(packages, "tiny")
    channels.index(packages)
    add_wheel(packages, "ipykernel")
    add_wheel(packages, "tiny")
    authority, chain = certificates(tmp_path, "127.0.0.1")
    with served(packages, chain=chain) as url:
        site = replace(request_.site, indexes=(url,))
        channel = url.removesuffix("/simple/")
        request = replace(with_specs(request_, part, "tiny"), channels=(channel,), site=site)
        assert failure(request)[0] == "index_unavailable"
        _, outcome = built(replace(request, site=replace(site, ca=authority)))
    assert outcome.is_built, outcome.message


def test_a_build_has_its_time(request_: Request) -> None:
    site = replace(request_.site, seconds=3)
    assert failure(replace(request_, pip=("sleeper",), site=site)) == ("build_timed_out", "")


def test_a_build_has_its_memory(request_: Request) -> None:
    request = replace(request_, pip=("eater",), memory_mib=1000)
    assert failure(request) == ("build_out_of_memory", "")


def test_an_environment_has_its_size(request_: Request) -> None:
    site = replace(request_.site, size_bytes=1024)
    assert failure(replace(request_, pip=("tiny",), site=site)) == ("build_out_of_disk", "")


@pytest.mark.parametrize("part", ["pip", "conda"])
def test_a_full_store_is_told(request_: Request, tmp_path: Path, part: str) -> None:
    full = tmp_path / "full"
    full.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", full], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    try:
        request = replace(with_specs(request_, part, "big"), folder=str(full / "store"))
        assert failure(request) == ("build_out_of_disk", "")
    finally:
        subprocess.run(["umount", full], check=True)


def test_passwords_of_indexes_are_in_no_log_and_no_lock(request_: Request, index: str) -> None:
    known = index.replace("http://", "http://reader:hunter2@")
    request = replace(request_, pip=("tiny",), site=replace(request_.site, indexes=(known,)))
    log, outcome = built(request)
    assert outcome.is_built
    assert "hunter2" not in log + outcome.as_line()
    found = subprocess.run(
        ["grep", "-r", "hunter2", request.folder], capture_output=True, check=False
    )
    assert found.stdout == b""


def test_the_user_s_own_configuration_of_tools_is_not_read(
    request_: Request, tmp_path: Path
) -> None:
    (tmp_path / "uv").mkdir()
    (tmp_path / "uv" / "uv.toml").write_text("no-index = true")
    _, outcome = built(
        replace(request_, pip=("tiny",)), XDG_CONFIG_HOME=str(tmp_path), UV_NO_INDEX="1"
    )
    assert outcome.is_built


def test_a_spec_is_never_taken_for_an_option(request_: Request) -> None:
    _, outcome = built(replace(request_, pip=("--index-url=http://127.0.0.1:9",)))
    assert outcome.code == "build_failed"
