"""What was typed into, or uploaded with, the form of a version; and what goes back into it.

Faults stand at their fields, as `kernel-0-pip`, by line. What was typed survives them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, QueryDict

from environments.files import MAX_BYTES, read_file, read_lines
from environments.kernels import Kernel
from environments.models import EnvironmentVersion
from environments.packages import MAX_KERNELS, Rules, channel, clean_kernel, conda_spec, pip_spec
from environments.services import Draft, site_rules
from submarine_site.core.errors import InvalidInput

_CHECKS: Mapping[str, Callable[[str, Rules], str]] = {
    "channels": channel,
    "conda": conda_spec,
    "pip": pip_spec,
}
_MILLI = 1000


@dataclass(slots=True)
class KernelForm:
    """The fields of one kernel, each as text with one entry to a line."""

    index: int
    name: str = ""
    display_name: str = ""
    channels: str = ""
    conda: str = ""
    pip: str = ""
    file: "UploadedFile[Any] | None" = None
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, index: int, kernel: Kernel) -> Self:
        return cls(
            index,
            name=kernel.name,
            display_name=kernel.display_name,
            channels="\n".join(kernel.channels),
            conda="\n".join(kernel.conda),
            pip="\n".join(kernel.pip),
        )

    @classmethod
    def posted(cls, index: int, request: HttpRequest) -> Self:
        form = cls(index)
        for each in ("name", "display_name", *_CHECKS):
            setattr(form, each, request.POST.get(f"{form.prefix}{each}", ""))
        form.file = request.FILES.get(f"{form.prefix}file")
        return form

    @property
    def prefix(self) -> str:
        return f"kernel-{self.index}-"

    @property
    def is_blank(self) -> bool:
        """Whether it declares nothing: a name alone is none."""
        return not (self.channels.strip() or self.conda.strip() or self.pip.strip() or self.file)

    def kernel(self, rules: Rules, *, default_name: str) -> Kernel | None:
        """Return what is declared; of what is wrong, nothing, and the errors say why."""
        self.name = self.name.strip() or default_name
        try:
            kernel = self._uploaded(rules) or self._typed(rules)
            clean_kernel(kernel, rules)
        except InvalidInput as refusal:
            self.errors |= refusal.fields or {"pip": refusal.message}
            return None
        return kernel

    def _uploaded(self, rules: Rules) -> Kernel | None:
        """What the file declares, which then stands in the fields."""
        if self.file is None:
            return None
        declared = read_file(self.file.name or "", self.file.read(MAX_BYTES + 1), rules)
        self.channels, self.conda, self.pip = (
            "\n".join(each) for each in (declared.channels, declared.conda, declared.pip)
        )
        return self._as_typed(declared.channels, declared.conda, declared.pip)

    def _typed(self, rules: Rules) -> Kernel:
        read: dict[str, tuple[str, ...]] = {}
        faults: dict[str, str] = {}
        for name, check in _CHECKS.items():
            try:
                read[name] = read_lines(getattr(self, name), name, check, rules)
            except InvalidInput as refusal:
                faults |= refusal.fields
        if faults:
            raise InvalidInput("\n".join(faults.values()), fields=faults)
        return self._as_typed(read["channels"], read["conda"], read["pip"])

    def _as_typed(
        self, channels: tuple[str, ...], conda: tuple[str, ...], pip: tuple[str, ...]
    ) -> Kernel:
        return Kernel(
            name=self.name,
            display_name=self.display_name or self.name,
            channels=channels,
            conda=conda,
            pip=pip,
        )


@dataclass(slots=True)
class VersionForm:
    """The fields of a version, with those of a blank kernel while there may be one more."""

    kernels: list[KernelForm]
    image: str = ""
    needs_gpu: bool = False
    smallest_cpu: str = ""
    smallest_memory_mib: str = ""
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, version: EnvironmentVersion | None) -> Self:
        """Return the form with what this version has."""
        if version is None:
            return cls(kernels=[KernelForm(0)])
        pairs = zip(version.as_written, version.declared, strict=True)
        kernels = [
            KernelForm.of(index, replace(written, channels=kernel.channels))
            for index, (written, kernel) in enumerate(pairs)
        ]
        return cls(
            kernels=_with_a_blank_one(kernels),
            image=version.image,
            needs_gpu=version.needs_gpu,
            smallest_cpu=f"{version.smallest_cpu_milli / _MILLI:g}",
            smallest_memory_mib=str(version.smallest_memory_mib),
        )

    @classmethod
    def posted(cls, request: HttpRequest) -> Self:
        posted: QueryDict = request.POST
        return cls(
            kernels=[KernelForm.posted(index, request) for index in range(MAX_KERNELS)],
            image=posted.get("image", ""),
            needs_gpu="needs_gpu" in posted,
            smallest_cpu=posted.get("smallest_cpu", ""),
            smallest_memory_mib=posted.get("smallest_memory_mib", ""),
            note=posted.get("note", ""),
        )

    def draft(self, *, name: str) -> Draft:
        """Return what is declared, for the environment of this name. Raises `InvalidInput`."""
        declared = [form for form in self.kernels if not form.is_blank]
        self.kernels = _with_a_blank_one(declared)
        rules = site_rules()
        kernels = [form.kernel(rules, default_name=name) for form in declared]
        cpu = self._number("smallest_cpu", self.smallest_cpu)
        memory = self._number("smallest_memory_mib", self.smallest_memory_mib)
        if self.errors or None in kernels:
            raise InvalidInput("Some inputs are not right.")
        return Draft(
            image=self.image,
            kernels=tuple(kernel for kernel in kernels if kernel is not None),
            needs_gpu=self.needs_gpu,
            smallest_cpu_milli=round(cpu * _MILLI),
            smallest_memory_mib=round(memory),
            note=self.note,
        )

    def _number(self, name: str, text: str) -> float:
        try:
            number = float(text or 0)
        except ValueError:
            number = -1.0
        # NaN is neither.
        if not 0 <= number <= _MOST[name]:
            self.errors[name] = f"A number from 0 to {_MOST[name]} is needed."
            return 0.0
        return number


_MOST: Mapping[str, int] = {"smallest_cpu": 10_000, "smallest_memory_mib": 100_000_000}


def _with_a_blank_one(forms: list[KernelForm]) -> list[KernelForm]:
    for index, form in enumerate(forms):
        form.index = index
    return [*forms, KernelForm(len(forms))][:MAX_KERNELS]


def posted_metadata(request: HttpRequest) -> dict[str, Any]:
    """Return the fields of an environment's `Metadata` as they were sent."""
    posted = request.POST
    return {
        "display_name": posted.get("display_name", ""),
        "description": posted.get("description", ""),
        "groups": tuple(posted.getlist("groups")),
        "enabled": "enabled" in posted,
        "hidden": "hidden" in posted,
        "deprecated": "deprecated" in posted,
        "deprecation": posted.get("deprecation", ""),
        "successor": posted.get("successor", ""),
    }
