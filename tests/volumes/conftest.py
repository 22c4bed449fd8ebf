"""What tests of volumes share: the host of volumes, as far as it is known, and a class of them."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from notebooks.backends.fake import FakeBackend
from tests.broker import Broker
from tests.factories import VolumeClassFactory
from volumes.contract import Keeper
from volumes.host import Attachment, Attachments, HomeTerms, Host, host
from volumes.models import Volume, VolumeClass

TERMS = HomeTerms(size_mib=1024, largest_mib=4096, storage_class="fast")


@dataclass
class FakeHost:
    """What volumes are told: homes may grow to 4 GiB, and no session has anything."""

    keeper: Keeper
    terms: HomeTerms | None = TERMS
    attached: dict[UUID, list[Attachment]] = field(default_factory=dict)

    def attach(self, volume: Volume, session: str = "thesis", *, is_active: bool = True) -> None:
        attachment = Attachment(
            session_id=uuid4(),
            session=session,
            status="running" if is_active else "stopped",
            path="data",
            read_only=False,
            is_active=is_active,
        )
        self.attached.setdefault(volume.pk, []).append(attachment)

    def attachments(self, volumes: Collection[Volume]) -> Attachments:
        return {volume.pk: self.attached.get(volume.pk, []) for volume in volumes}


@pytest.fixture
def told(backend: FakeBackend) -> Iterator[FakeHost]:
    """What the apps above say, for a test to change."""
    fake = FakeHost(keeper=backend)
    before = host._given[:]
    host.fill(
        Host(
            keeper=lambda: fake.keeper,
            home_terms=lambda: fake.terms,
            attachments=fake.attachments,
        )
    )
    yield fake
    host._given[:] = before


@pytest.fixture
def broker() -> Broker:
    queue = Broker()
    queue.take()
    return queue


@pytest.fixture
def standard(db: None) -> VolumeClass:
    """Offered to everyone: up to 100 GiB, and growable."""
    return VolumeClassFactory.create(name="standard", growable=True, storage_class="standard")
