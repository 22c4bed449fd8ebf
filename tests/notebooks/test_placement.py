"""A run is placed as its profile said when it was requested."""

import pytest

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.backends.fake import FakeBackend
from quotas.models import ResourceProfile
from submarine_site.core.placement import Placement
from tests.sessions import key_of

pytestmark = pytest.mark.django_db


def test_an_edit_of_the_profile_does_not_change_a_run_that_was_requested(
    ada: User, small: ResourceProfile, plain: Environment, backend: FakeBackend
) -> None:
    ResourceProfile.objects.filter(pk=small.pk).update(
        priority_class="people", tolerations=[{"operator": "Exists"}]
    )
    session = services.create_session(owner=ada, profile=small.name, environment=plain.name).session
    ResourceProfile.objects.filter(pk=small.pk).update(priority_class="", tolerations=[])
    lifecycle.launch(key_of(session))
    [spec] = backend.started
    assert spec.placement == Placement(
        priority_class="people", tolerations=({"operator": "Exists"},)
    )
