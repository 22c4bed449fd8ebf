from pathlib import Path

import pytest

from submarine_site.quickstart import secrets
from submarine_site.quickstart.errors import QuickstartError


def test_what_is_made_up_is_kept(tmp_path: Path) -> None:
    assert secrets.kept_in(tmp_path) == secrets.kept_in(tmp_path)


def test_an_admin_and_a_user_are_made_up(tmp_path: Path) -> None:
    users = secrets.kept_in(tmp_path).users
    assert [(user.name, user.role) for user in users] == [("admin", "admin"), ("demo", "user")]


def test_each_data_folder_has_its_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = (secrets.kept_in(tmp_path / name) for name in "ab")
    words = [{kept.secret_key, *(user.password for user in kept.users)} for kept in (one, other)]
    assert len(words[0] | words[1]) == 6


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    secrets.kept_in(tmp_path)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_they_are_not_shown_in_a_traceback(tmp_path: Path) -> None:
    kept = secrets.kept_in(tmp_path)
    assert kept.secret_key not in repr(kept)
    assert kept.users[0].password not in repr(kept)


@pytest.mark.parametrize("text", ["", "{}", '{"secret_key": "x", "users": [1]}'])
def test_a_damaged_file_is_refused_rather_than_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "secrets.json").write_text(text)
    with pytest.raises(QuickstartError, match=r"secrets\.json is damaged"):
        secrets.kept_in(tmp_path)
