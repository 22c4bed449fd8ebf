"""What is looked at of pods, events and claims. All else is passed over while their JSON is read:
most of a pod says nothing of how its run fares, and with thousands of them it adds up.
"""

from typing import Any, TypedDict


class _Metadata(TypedDict, total=False):
    name: str
    uid: str
    resourceVersion: str
    labels: dict[str, str]
    creationTimestamp: str | None
    deletionTimestamp: str
    deletionGracePeriodSeconds: int


class _Container(TypedDict, total=False):
    name: str
    image: str
    resources: Any


class _Spec(TypedDict, total=False):
    # None in a bookmark.
    containers: list[_Container] | None
    initContainers: list[_Container]
    nodeName: str
    nodeSelector: Any
    tolerations: Any


class PodParts(TypedDict, total=False):
    metadata: _Metadata
    spec: _Spec
    status: Any


class ClaimParts(TypedDict, total=False):
    metadata: _Metadata
    status: Any


class _InvolvedObject(TypedDict, total=False):
    name: str
    uid: str
    fieldPath: str


class EventParts(TypedDict, total=False):
    metadata: _Metadata
    involvedObject: _InvolvedObject
    reason: str
    message: str
    firstTimestamp: Any
    lastTimestamp: Any
    eventTime: Any
    series: Any
