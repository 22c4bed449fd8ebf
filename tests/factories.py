"""Rows for tests. A session is made in the state that a trait names."""

from typing import Any

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory, Password
from factory.helpers import post_generation

from accounts.models import User
from environments.kernels import Kernel
from environments.models import Build, Environment, EnvironmentVersion
from notebooks.holdings import reservation_of as reservation_of_run
from notebooks.models import NotebookSession, Run
from notebooks.states import ACTIVE, SessionStatus
from quotas.models import Limit, ResourceProfile
from volumes.holdings import reservation_of as reservation_of_volume
from volumes.models import Volume, VolumeClass
from volumes.states import VolumeState

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda n: f"person-{n}")
    password = Password(PASSWORD)


class ProfileFactory(DjangoModelFactory[ResourceProfile]):
    class Meta:
        model = ResourceProfile

    name = Sequence(lambda n: f"size-{n}")
    display_name = LazyAttribute(lambda profile: profile.name.title())
    cpu_milli = 1000
    memory_mib = 2048


class LimitFactory(DjangoModelFactory[Limit]):
    """A limit for each user, unless it says otherwise."""

    class Meta:
        model = Limit

    resource = "sessions"
    amount = 3


class EnvironmentFactory(DjangoModelFactory[Environment]):
    """An environment with one version, of this image and these kernels."""

    class Meta:
        model = Environment
        skip_postgeneration_save = True

    name = Sequence(lambda n: f"env-{n}")
    display_name = LazyAttribute(lambda environment: environment.name.title())

    @post_generation
    def newest(self: Any, *_: Any, **version: Any) -> None:
        self.newest = EnvironmentVersion.objects.create(
            environment=self, **{"number": 1, "image": "example/notebook:1", **version}
        )
        self.save(update_fields=["newest"])


class BuildFactory(DjangoModelFactory[Build]):
    """What is built of a kernel with one package."""

    class Meta:
        model = Build

    class Params:
        of = Kernel(name="science", display_name="Science", pip=("pandas",))

    image = "example/notebook:1"
    digest = LazyAttribute(lambda build: build.of.digest(build.image))
    kernel = LazyAttribute(lambda build: build.of.as_json())
    started_at = LazyFunction(timezone.now)
    finished_at = LazyFunction(timezone.now)


class VolumeClassFactory(DjangoModelFactory[VolumeClass]):
    class Meta:
        model = VolumeClass

    name = Sequence(lambda n: f"class-{n}")
    display_name = LazyAttribute(lambda volume_class: volume_class.name.title())


class VolumeFactory(DjangoModelFactory[Volume]):
    """A volume of data of 1 GiB, as a worker leaves it."""

    class Meta:
        model = Volume
        skip_postgeneration_save = True

    owner = SubFactory(UserFactory)
    name = Sequence(lambda n: f"volume-{n}")
    size_mib = 1024
    state = VolumeState.READY

    @post_generation
    def holds(self: Any, *_: Any, **__: Any) -> None:
        reservation_of_volume(self, self.size_mib).save()


class SessionFactory(DjangoModelFactory[NotebookSession]):
    """A session with one run, as services and lifecycle leave it in `status`."""

    class Meta:
        model = NotebookSession
        skip_postgeneration_save = True

    class Params:
        environment = SubFactory(EnvironmentFactory)

    owner = SubFactory(UserFactory)
    name = Sequence(lambda n: f"session-{n}")
    profile = SubFactory(ProfileFactory)
    environment_version = LazyAttribute(lambda session: session.environment.newest)
    status = SessionStatus.REQUESTED

    @post_generation
    def current_run(self: Any, *_: Any, **__: Any) -> None:
        running = self.status == SessionStatus.RUNNING
        ended = self.status in {SessionStatus.STOPPED, SessionStatus.FAILED}
        now = timezone.now()
        self.current_run = Run.objects.create(
            session=self,
            number=1,
            profile_name=self.profile.display_name,
            cpu_milli=self.profile.cpu_milli,
            memory_mib=self.profile.memory_mib,
            gpus=self.profile.gpus,
            accelerator=self.profile.accelerator,
            longest_life_minutes=self.profile.longest_life_minutes,
            idle_limit_minutes=self.profile.idle_limit_minutes,
            environment_name=self.environment.display_name,
            image=self.environment_version.image,
            setup=self.setup,
            address="unix:/nowhere" if running else "",
            ready_at=now if running else None,
            ended_at=now if ended else None,
        )
        self.save(update_fields=["current_run"])
        if self.status in ACTIVE:
            reservation_of_run(self, self.current_run).save()
