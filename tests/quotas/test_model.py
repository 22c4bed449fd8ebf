"""Whatever is asked in whatever order, the ledger holds what a simple model of it holds."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from environments.models import Environment
from notebooks import lifecycle, services
from notebooks.backends.fake import FakeBackend
from notebooks.models import NotebookSession
from notebooks.states import SessionStatus as S
from quotas import ledger
from quotas.amounts import CPU, MEMORY, SESSIONS, STORAGE, VOLUMES, gpu
from quotas.ledger import QuotaExceeded
from quotas.models import Limit
from tests.factories import ProfileFactory, VolumeClassFactory
from tests.sessions import key_of, state_of, tick
from volumes import services as volumes
from volumes.lifecycle import settle
from volumes.models import Volume

pytestmark = pytest.mark.django_db

SIZES = {
    "tiny": {SESSIONS: 1, CPU: 500, MEMORY: 512},
    "huge": {SESSIONS: 1, CPU: 8000, MEMORY: 65536},
    "gpus": {SESSIONS: 1, CPU: 1000, MEMORY: 2048, gpu("a100"): 2},
}
LIMITED = (SESSIONS, CPU, MEMORY, STORAGE, VOLUMES, gpu("a100"))

some = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(sorted(SIZES))),
    st.tuples(st.just("start"), some),
    st.tuples(st.just("end"), some),
    st.tuples(st.just("fail"), some),
    st.tuples(st.just("new volume"), st.integers(1, 4)),
    st.tuples(st.just("grow"), some),
    st.tuples(st.just("remove"), some),
    st.tuples(
        st.just("limit"),
        st.tuples(st.sampled_from(LIMITED), st.sampled_from([None, 0, 1, 2, 1000, 4096, 20000])),
    ),
)


@dataclass
class Model:
    """What each has, and what may be had."""

    has: dict[UUID, Counter] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> Counter:
        return sum(self.has.values(), Counter())

    def fits(self, holder: UUID | None, wanted: dict[str, int]) -> bool:
        own = self.has.get(holder, Counter()) if holder else Counter()
        others = self.total - own
        return all(
            amount <= own[name] or others[name] + amount <= self.limits.get(name, 10**12)
            for name, amount in wanted.items()
        )


class World:
    def __init__(self, ada: User, plain: Environment, backend: FakeBackend) -> None:
        self.ada, self.plain, self.backend = ada, plain, backend
        self.model = Model()
        self.classes = VolumeClassFactory.create(growable=True)

    def do(self, name: str, value) -> None:
        getattr(self, f"do_{name.replace(' ', '_')}")(value)
        used = ledger.usage_beside(None, user_id=self.ada.pk).user
        assert Counter({k: v for k, v in used.items() if v}) == self.model.total

    def ask(self, call, holder: UUID | None, wanted: dict[str, int]):
        """Ask, and be let in exactly when the model says so."""
        fits = self.model.fits(holder, wanted)
        try:
            with transaction.atomic():
                answer = call()
        except QuotaExceeded as refusal:
            assert not fits
            for each in refusal.shortages:
                assert each.limit == self.model.limits[each.resource]
                assert each.used + each.asked > each.limit
            return None
        assert fits
        return answer

    def do_create(self, size: str) -> None:
        created = self.ask(
            lambda: services.create_session(
                owner=self.ada, profile=size, environment=self.plain.name
            ),
            None,
            SIZES[size],
        )
        if created:
            self.model.has[created.session.pk] = Counter(SIZES[size])
            tick()
            self.backend.settle()
            tick()

    def pick(self, number: int, *states: S) -> NotebookSession | None:
        sessions = NotebookSession.objects.filter(owner=self.ada, status__in=states)
        found = list(sessions.order_by("created_at"))
        return found[number % len(found)] if found else None

    def do_start(self, number: int) -> None:
        if session := self.pick(number, S.STOPPED, S.FAILED):
            wanted = SIZES[session.profile.name]
            if self.ask(
                lambda: services.start_session(session=session, actor=self.ada),
                session.pk,
                wanted,
            ):
                self.model.has[session.pk] = Counter(wanted)
                tick()
                self.backend.settle()
                tick()

    def do_end(self, number: int) -> None:
        if session := self.pick(number, S.RUNNING):
            services.stop_session(session=session, actor=self.ada)
            for _ in range(2):
                tick()
                self.backend.settle()
            tick()
            assert state_of(session) == S.STOPPED
            del self.model.has[session.pk]

    def do_fail(self, number: int) -> None:
        if session := self.pick(number, S.RUNNING):
            self.backend.vanish(key_of(session))
            lifecycle.fail(key_of(session), code="server_crashed", message="gone")
            del self.model.has[session.pk]

    def do_new_volume(self, gib: int) -> None:
        made = self.ask(
            lambda: volumes.create_volume(
                owner=self.ada,
                name=f"volume {uuid4()}",
                volume_class=self.classes.name,
                size_mib=gib * 1024,
            ),
            None,
            {STORAGE: gib * 1024, VOLUMES: 1},
        )
        if made:
            self.model.has[made.pk] = Counter({STORAGE: gib * 1024, VOLUMES: 1})
            settle()

    def volume(self, number: int) -> Volume | None:
        found = list(Volume.objects.filter(owner=self.ada, kind="data").order_by("created_at"))
        return found[number % len(found)] if found else None

    def do_grow(self, number: int) -> None:
        if volume := self.volume(number):
            assert volume.size_mib is not None
            wanted = {STORAGE: volume.size_mib + 1024, VOLUMES: 1}
            if self.ask(
                lambda: volumes.grow_volume(volume=volume, size_mib=wanted[STORAGE]),
                volume.pk,
                wanted,
            ):
                self.model.has[volume.pk] = Counter(wanted)
                settle()

    def do_remove(self, number: int) -> None:
        if volume := self.volume(number):
            volumes.trash_volume(volume=volume)
            volumes.remove_volume(volume=volume)
            settle()
            del self.model.has[volume.pk]

    def do_limit(self, said: tuple[str, int | None]) -> None:
        resource, amount = said
        Limit.objects.update_or_create(resource=resource, defaults={"amount": amount})
        self.model.limits.pop(resource, None)
        if amount is not None:
            self.model.limits[resource] = amount


class Undo(Exception):
    pass


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(steps, min_size=3, max_size=25))
def test_the_ledger_is_as_a_simple_model_has_it(
    ada: User, plain: Environment, backend: FakeBackend, taken: list
) -> None:
    with transaction.atomic():
        ProfileFactory.create(name="tiny", cpu_milli=500, memory_mib=512)
        ProfileFactory.create(name="huge", cpu_milli=8000, memory_mib=65536)
        ProfileFactory.create(
            name="gpus", cpu_milli=1000, memory_mib=2048, gpus=2, accelerator="a100"
        )
        world = World(ada, plain, backend)
        # The home comes with the first start, and is not asked for.
        home = volumes.homes_of([ada])[ada.pk]
        settle()
        world.model.has[home.pk] = Counter({VOLUMES: 1})
        for name, value in taken:
            world.do(name, value)
        transaction.set_rollback(True)
