"""The command that checks an image refuses what is none before it starts anything."""

import pytest
from django.core.management import CommandError, call_command

from notebooks.backends.fake import FakeBackend


@pytest.mark.usefixtures("small")
def test_what_is_no_reference_is_not_started(backend: FakeBackend) -> None:
    with pytest.raises(CommandError, match="This is not the reference of an image"):
        call_command("check_image", "docker://example/notebook:1")
    assert backend.started == []
