"""What keeps an image from being pulled, by what the registry said.

The words are those of containerd 1.6 to 2.1, CRI-O and Docker, and of registries.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from notebooks.backends.kubernetes.hindrances import (
    DEFINITE,
    Hindrance,
    failing_since,
    span_in_words,
)
from notebooks.backends.kubernetes.policies import POLICY, policy_in
from notebooks.backends.kubernetes.reading import Container, Pod

_REGISTRY = timedelta(seconds=120)

_URL = re.compile(r"https?://[^\s\"]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What an error of this form means."""

    form: re.Pattern[str]
    code: str
    says: str
    patience: timedelta | None


_VERDICTS = (
    _Verdict(
        form=re.compile(r"^InvalidImageName"),
        code="image_invalid",
        says="“{image}” is not the name of an image.",
        patience=DEFINITE,
    ),
    _Verdict(
        form=re.compile(r"^ErrImageNeverPull"),
        code="image_missing",
        says="The image {image} is not on the machine, and images are not pulled here.",
        patience=DEFINITE,
    ),
    _Verdict(
        form=re.compile(r"(?i)toomanyrequests|too many requests|\b429\b|rate limit"),
        code="",
        says="The registry asked to slow down.",
        patience=None,
    ),
    # Before "denied" and "signature", with which policies say no as well.
    _Verdict(
        form=POLICY,
        code="policy_refused",
        says="{policy} does not allow the image {image}.",
        patience=DEFINITE,
    ),
    _Verdict(
        form=re.compile(r"(?i)no space left on device"),
        code="machine_failed",
        says="The machine has no disk space left for the image {image}.",
        patience=_REGISTRY,
    ),
    # Ends with "not found", as a missing image does.
    _Verdict(
        form=re.compile(r"(?i)no match(ing manifest)? for "),
        code="image_unfit",
        says="The image {image} is not made for the machine's kind of processor.",
        patience=DEFINITE,
    ),
    _Verdict(
        form=re.compile(r"(?i)x509|certificate|signature"),
        code="registry_refused",
        says="The machine does not trust where the image {image} comes from: a certificate or "
        "signature is not accepted.",
        patience=DEFINITE,
    ),
    # Registries tell strangers no more than this of an image that is not there.
    _Verdict(
        form=re.compile(r"(?i)\b40[13]\b|unauthorized|denied|forbidden|authorization|basic auth"),
        code="registry_refused",
        says="The registry does not give out the image {image}: it is private, or not there.",
        patience=DEFINITE,
    ),
    _Verdict(
        form=re.compile(r"(?i)manifest unknown|name unknown|not found"),
        code="image_missing",
        says="The registry has no image {image}.",
        patience=DEFINITE,
    ),
    _Verdict(
        form=re.compile(r""),
        code="image_pull_failed",
        says="The registry did not send the image {image}.",
        patience=_REGISTRY,
    ),
)


def pulling(pod: Pod, container: Container) -> Hindrance:
    """Of a container whose last pull failed."""
    tried = pod.latest("Pulling", container=container.name)
    failed = pod.latest("Failed", "InspectFailed", "BackOff", container=container.name)
    if tried and failed and tried.last_at > failed.last_at:
        # A pull that moves on is not cut off for how the one before it ended.
        return Hindrance(waiting="Pulling the image again.")
    pulled = pod.latest("Pulled", container=container.name)
    if pulled and failed and pulled.last_at >= failed.last_at:
        # The container's state tells of it later.
        return Hindrance(waiting="")
    image = pod.spec_of(container.name)["image"]
    error = _pull_error(pod, container, image)
    if not error:
        return Hindrance(waiting="The image could not be pulled. It is tried again.")
    verdict = next(each for each in _VERDICTS if each.form.search(error))
    says = verdict.says.format(image=image, policy=policy_in(error))
    tried_for = f" It was tried for {span_in_words(verdict.patience)}." if verdict.patience else ""
    return Hindrance(
        code=verdict.code,
        waiting=f"{says} It is tried again.",
        failing=says + tried_for,
        since=failing_since(pod, container),
        patience=verdict.patience,
    )


def _pull_error(pod: Pod, container: Container, image: str) -> str:
    """What came of the last pull, without names in which its words could occur by chance; empty
    if that is not known: while the next pull is put off, an event alone tells.
    """
    told = (
        event.message
        for event in reversed(pod.events)
        if event.container == container.name
        and event.reason == "Failed"
        and not event.message.startswith("Error: ")
    )
    message = container.message if container.reason != "ImagePullBackOff" else ""
    error = next(told, message)
    named = error.replace(image, "") if error else container.message.partition("ErrImagePull: ")[2]
    return f"{container.reason} {_URL.sub('', named)}" if named else ""


def is_pulling(pod: Pod, container: Container) -> bool:
    pulling = pod.latest("Pulling", container=container.name)
    return pulling is not None and not pod.latest("Pulled", container=container.name)
