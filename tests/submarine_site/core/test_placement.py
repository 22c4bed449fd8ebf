"""Placement, to JSON and back."""

import json
from decimal import Decimal

from submarine_site.core.placement import Placement


def test_a_placement_comes_back_from_json_as_it_was() -> None:
    placement = Placement(
        shared_memory_mib=512,
        cpu_overcommit=Decimal("1.50"),
        memory_overcommit=Decimal("1.25"),
        gpu_resource="amd.com/gpu",
        node_selector={"pool": "notebooks"},
        preferred_nodes={"disk": "fast"},
        tolerations=({"key": "gpu", "operator": "Exists"},),
        priority_class="people",
        service_account="reader",
        pod_patch={"env": [{"name": "A", "value": "1"}]},
    )
    assert Placement.from_json(json.loads(json.dumps(placement.as_json()))) == placement


def test_what_an_earlier_version_kept_has_defaults_for_the_rest() -> None:
    assert Placement.from_json({}) == Placement()
    assert Placement.from_json({"priority_class": "x"}) == Placement(priority_class="x")


def test_what_a_later_version_kept_is_left_out() -> None:
    assert Placement.from_json({"colour": "blue"}) == Placement()
