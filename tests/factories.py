"""Rows for tests. A session is made in the state that a trait names."""

import factory
from django.utils import timezone

from accounts.models import User
from environments.models import Environment
from notebooks.models import NotebookSession, Run
from notebooks.states import SessionStatus
from quotas.models import ResourceProfile

PASSWORD = "correct horse battery"


class UserFactory(factory.django.DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person-{n}")
    password = factory.django.Password(PASSWORD)


class ProfileFactory(factory.django.DjangoModelFactory[ResourceProfile]):
    class Meta:
        model = ResourceProfile

    name = factory.Sequence(lambda n: f"size-{n}")
    display_name = factory.LazyAttribute(lambda profile: profile.name.title())
    cpu_milli = 1000
    memory_mib = 2048


class EnvironmentFactory(factory.django.DjangoModelFactory[Environment]):
    class Meta:
        model = Environment

    name = factory.Sequence(lambda n: f"env-{n}")
    display_name = factory.LazyAttribute(lambda environment: environment.name.title())
    image = "example/notebook:1"


class SessionFactory(factory.django.DjangoModelFactory[NotebookSession]):
    """A session with one run, as services and lifecycle leave it in `status`."""

    class Meta:
        model = NotebookSession
        skip_postgeneration_save = True

    owner = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"session-{n}")
    profile = factory.SubFactory(ProfileFactory)
    environment = factory.SubFactory(EnvironmentFactory)
    status = SessionStatus.REQUESTED

    @factory.post_generation
    def current_run(self, create, extracted, **kwargs):
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
            environment_name=self.environment.display_name,
            image=self.environment.image,
            address="unix:/nowhere" if running else "",
            ready_at=now if running else None,
            ended_at=now if ended else None,
        )
        self.save(update_fields=["current_run"])
