"""What the examples of the schema tell of, as it is in the database."""

from uuid import UUID

from django.contrib.auth.models import Group

from accounts import vault
from accounts.models import GitCredential, User
from accounts.scopes import grantable
from accounts.services import create_token
from audit.services import record
from environments import examples as environments
from environments.kernels import Kernel
from environments.models import EnvironmentVersion
from notebooks import bookmarks
from notebooks.api import examples
from notebooks.backends.contract import CodeSource
from notebooks.models import NotebookSession
from notebooks.mounts import Mount
from notebooks.setup import Setup, checked
from quotas.models import QuotaRequest, Scope
from submarine_site.core.examples import (
    ADA,
    CREDENTIAL_ID,
    ENVIRONMENT,
    GROUP,
    HOST,
    IMAGE,
    PROFILE,
    SECRET,
    SESSION,
    SESSION_ID,
    VOLUME,
    VOLUME_ID,
)
from tests.factories import (
    BuildFactory,
    EnvironmentFactory,
    LimitFactory,
    ProfileFactory,
    SessionFactory,
    UserFactory,
    VolumeClassFactory,
    VolumeFactory,
)

SETUP = Setup(
    code=(
        CodeSource(
            url=f"https://{HOST}/research/churn.git", ref="main", credential=UUID(CREDENTIAL_ID)
        ),
    ),
    opens="train.ipynb",
    variables={"STAGE": "test"},
    secrets=(SECRET,),
    mounts=(Mount(volume=UUID(VOLUME_ID), path="data"),),
)


def build_world() -> User:
    """Make Ada, and what is hers: a session, which has stopped, and all that it starts with."""
    group = Group.objects.create(name=GROUP)
    ada = UserFactory.create(username=ADA)
    ada.groups.add(group)
    small = ProfileFactory.create(name=PROFILE, **examples.SIZE)
    LimitFactory.create(resource="memory_mib", amount=32768)
    LimitFactory.create(resource="memory_mib", amount=131072, scope=Scope.POOL, group=group)
    # An image that she may build on.
    EnvironmentFactory.create(name="site", newest__image=IMAGE)
    kernel = Kernel.from_json({**environments.KERNEL, **environments.RESOLVED})
    own = EnvironmentFactory.create(
        name=ENVIRONMENT,
        owner=ada,
        newest__image=IMAGE,
        newest__kernels=[kernel.as_json()],
        newest__requested_kernels=[environments.KERNEL],
    )
    build = BuildFactory.create(of=kernel, image=IMAGE, state="built", lock=environments.LOCK)
    build.versions.add(EnvironmentVersion.objects.get(environment=own))
    volume_class = VolumeClassFactory.create(name="standard", growable=True)
    VolumeFactory.create(id=VOLUME_ID, owner=ada, name=VOLUME, volume_class=volume_class)
    vault.keep_secret(owner=ada, name=SECRET, kind="variable", value="x")
    vault.keep_git_credential(owner=ada, name="Git", kind="token", hosts=[HOST], secret="x")
    GitCredential.objects.update(id=CREDENTIAL_ID)
    create_token(user=ada, name="laptop", scopes=grantable(ada))
    QuotaRequest.objects.create(user=ada, resource="sessions", amount=9, why="Work.")
    bookmarks.keep_bookmark(
        owner=ada, name=SESSION, profile=PROFILE, environment=ENVIRONMENT, setup=SETUP
    )
    session = SessionFactory.create(
        id=SESSION_ID,
        owner=ada,
        name=SESSION,
        profile=small,
        environment=own,
        status="stopped",
        setup=checked(SETUP).as_json(),
        charged_to=group,
    )
    NotebookSession.objects.note(session, "Something happened.", actor=ada)
    record("session.created", session, actor=ada, after=dict.fromkeys(("profile", "environment")))
    return ada
