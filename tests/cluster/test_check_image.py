"""What an operator is told of an image: the check starts it as a session would be."""

import pytest

from tests.cluster.service import OnCluster

pytestmark = [pytest.mark.cluster, pytest.mark.stack, pytest.mark.timeout(180)]


@pytest.mark.parametrize("image", ["submarine/notebook:1", "submarine/test-stacks:1"])
def test_an_image_that_will_do_is_found_right_in_all(on: OnCluster, image: str) -> None:
    told = on.manage("check_image", image, "--profile", "small").splitlines()
    assert [line[:6].strip() for line in told] == ["ok"] * 6 + ["It wil"]
    assert told[0].startswith("ok    It starts, and Jupyter answers under the path it is given")
    assert told[2:4] == [
        "ok    Without the token nobody gets in.",
        "ok    The home can be written to.",
    ]
    assert told[4].startswith("ok    Kernels: python3")
    on.await_nothing_left()


def test_an_image_that_does_not_start_shows_why(on: OnCluster) -> None:
    done = on.attempt("check_image", "submarine/test-broken:1", "--profile", "small")
    assert done.returncode == 1
    assert "fail  " in done.stdout
    assert "No module named 'jupyter_server'" in done.stdout
    assert "It will not do as it is." in done.stderr
    on.await_nothing_left()


def test_a_server_that_lets_everybody_in_will_not_do(on: OnCluster) -> None:
    done = on.attempt("check_image", "submarine/test-server:1", "--profile", "small")
    assert done.returncode == 1
    assert "fail  It lets in who has no token: it does not read JUPYTER_TOKEN." in done.stdout
    on.await_nothing_left()


def test_a_profile_that_there_is_not_is_said(on: OnCluster) -> None:
    done = on.attempt("check_image", "submarine/notebook:1", "--profile", "nonesuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no such profile." in done.stderr
