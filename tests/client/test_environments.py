"""Files that environments are made of, as the client reads them."""

from pathlib import Path

import pytest

from submarine_client.environments import _version
from submarine_client.errors import Refused


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_sent_as_text(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes("# é\nrich\n".encode(encoding))
    assert _version(file, ()) == {"file": {"name": file.name, "content": "# é\nrich\n"}}


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_bytes(b"rich\xff")
    with pytest.raises(Refused) as refusal:
        _version(file, ())
    assert refusal.value.message == f"{file} is not text in UTF-8."
