"""Which size is chosen for the resources that clients ask for."""

import pytest
from django.contrib.auth.models import Group

from accounts.models import User
from environments.models import Environment, EnvironmentVersion
from quotas.models import ResourceProfile
from submarine_site.core.errors import InvalidInput
from submarine_site.core.resources import Resources
from submarine_v1.sizes import Wanted, as_text, choose, read_wanted
from tests.factories import ProfileFactory

NOTHING = {"resources": "", "cpu": "", "memory": "", "gpu": ""}


@pytest.mark.parametrize(
    ("resources", "wanted"),
    [
        ("", Wanted()),
        ("cpu=1,memory=1.0Gi,nvidia.com/gpu=1", Wanted(cpu_milli=1000, memory_mib=1024, gpus=1)),
        (" cpu = 500m , memory = 512Mi ", Wanted(cpu_milli=500, memory_mib=512)),
        ("cpu=0.1", Wanted(cpu_milli=100)),
        ("cpu=.5,", Wanted(cpu_milli=500)),
        ("cpu=0.0001", Wanted(cpu_milli=1)),
        ("memory=1G", Wanted(memory_mib=954)),
        ("memory=1Ti", Wanted(memory_mib=1024**2)),
        ("memory=1", Wanted(memory_mib=1)),
        ("memory=1073741824", Wanted(memory_mib=1024)),
        ("nvidia.com/gpu=0", Wanted()),
        ("nvidia.com/gpu=1.0", Wanted(gpus=1)),
        ("gpu=2", Wanted(gpus=2)),
        ("disk=1Gi,cpu=1,ephemeral-storage=x,more", Wanted(cpu_milli=1000)),
    ],
)
def test_resources_are_read(resources: str, wanted: Wanted) -> None:
    assert read_wanted({**NOTHING, "resources": resources}, []) == wanted


def test_attributes_beside_them_are_read_too() -> None:
    said = {"resources": "cpu=2", "cpu": "2", "memory": "1Gi", "gpu": "1"}
    assert read_wanted(said, []) == Wanted(cpu_milli=2000, memory_mib=1024, gpus=1)


@pytest.mark.parametrize(
    ("said", "field", "message"),
    [
        ({"resources": "cpu=one"}, "resources", "“one” is no quantity, such as 0.5 or 500m."),
        ({"resources": "cpu"}, "resources", "“” is no quantity, such as 0.5 or 500m."),
        ({"resources": "cpu=-1"}, "resources", "“-1” is no quantity, such as 0.5 or 500m."),
        ({"resources": "cpu=1e9"}, "resources", "“1e9” is no quantity, such as 0.5 or 500m."),
        ({"resources": "cpu=1Gi"}, "resources", "“1Gi” is no quantity, such as 0.5 or 500m."),
        ({"resources": "memory=1Gb"}, "resources", "“1Gb” is no quantity, such as 512Mi or 1.5Gi."),
        (
            {"resources": "nvidia.com/gpu=0.5"},
            "resources",
            "“0.5” is no number of GPUs, such as 1.",
        ),
        ({"resources": "cpu=1,cpu=2"}, "resources", "“cpu” is there twice."),
        ({"resources": "gpu=1,nvidia.com/gpu=2"}, "resources", "“gpu” is there twice."),
        ({"cpu": "x"}, "cpu", "“x” is no quantity, such as 0.5 or 500m."),
        ({"gpu": "x"}, "gpu", "“x” is no number of GPUs, such as 1."),
        (
            {"resources": "cpu=1", "cpu": "2"},
            "cpu",
            "This and `resources` say different things.",
        ),
    ],
)
def test_what_cannot_be_read_is_named(said: dict[str, str], field: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_wanted({**NOTHING, **said}, [])
    assert refusal.value.fields == {field: message}


@pytest.fixture
def sizes(db: None) -> None:
    ProfileFactory.create(name="gpu", cpu_milli=1000, memory_mib=1024, gpus=1)
    ProfileFactory.create(name="large", cpu_milli=4000, memory_mib=8192)
    ProfileFactory.create(name="small", cpu_milli=1000, memory_mib=2048)
    ProfileFactory.create(name="off", cpu_milli=2000, memory_mib=4096, enabled=False)
    granted = ProfileFactory.create(name="granted", cpu_milli=64_000, memory_mib=1024**2)
    granted.groups.add(Group.objects.create(name="physics"))


def offered_to(user: User) -> list[ResourceProfile]:
    return list(ResourceProfile.objects.visible_to(user))


@pytest.fixture
def version(plain: Environment) -> EnvironmentVersion:
    assert plain.newest is not None
    return plain.newest


@pytest.mark.usefixtures("sizes")
class TestChoosing:
    @pytest.mark.parametrize(
        ("wanted", "name"),
        [
            (Wanted(), "small"),
            (Wanted(cpu_milli=1000, memory_mib=2048), "small"),
            (Wanted(cpu_milli=1001), "large"),
            (Wanted(memory_mib=4096), "large"),
            (Wanted(gpus=1), "gpu"),
        ],
    )
    def test_the_smallest_that_holds_it(self, ada, version, wanted: Wanted, name: str) -> None:
        assert choose(offered_to(ada), version, wanted).name == name

    def test_one_that_the_environment_can_do_with(self, ada, version) -> None:
        version.smallest_memory_mib = 4096
        assert choose(offered_to(ada), version, Wanted()).name == "large"
        version.smallest_memory_mib, version.needs_gpu = 0, True
        assert choose(offered_to(ada), version, Wanted()).name == "gpu"

    def test_only_of_those_that_are_permitted(self, ada: User, version) -> None:
        with pytest.raises(InvalidInput) as refusal:
            choose(offered_to(ada), version, Wanted(cpu_milli=8000))
        assert refusal.value.fields == {
            "resources": "No size that you may use has 8 CPU. “Small” has 1 CPU · 2 GiB; "
            "“Large” has 4 CPU · 8 GiB; “Gpu” has 1 CPU · 1 GiB · 1 GPU"
        }
        ada.groups.add(Group.objects.get(name="physics"))
        assert choose(offered_to(ada), version, Wanted(cpu_milli=8000)).name == "granted"

    def test_the_one_that_is_named_if_it_holds_it(self, ada, version) -> None:
        wanted = Wanted(cpu_milli=1000)
        assert choose(offered_to(ada), version, wanted, profile="large").name == "large"
        with pytest.raises(InvalidInput) as refusal:
            choose(offered_to(ada), version, Wanted(cpu_milli=2000), profile="small")
        assert refusal.value.fields == {
            "profile": "The size “Small” has 1 CPU · 2 GiB, less than 2 CPU."
        }
        for other in ("none", "off", "granted", "\0"):
            with pytest.raises(InvalidInput, match="There is no such size that you may use"):
                choose(offered_to(ada), version, Wanted(), profile=other)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (Resources(cpu_milli=500, memory_mib=512), "cpu=0.5,memory=512Mi"),
        (Resources(cpu_milli=4000, memory_mib=8192, gpus=2), "cpu=4,memory=8Gi,nvidia.com/gpu=2"),
    ],
)
def test_a_size_as_clients_read_it(size: Resources, said: str) -> None:
    assert as_text(size) == said
