"""The form for what a session starts with: its code, its volumes, its variables and secrets."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from django.http import QueryDict

from notebooks.code_form import CodeForm
from notebooks.setup import Setup
from notebooks.variables_form import VariablesForm
from notebooks.volumes_form import VolumesForm


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupForm:
    """As it was filled in, right or wrong, to be shown again."""

    code: CodeForm
    volumes: VolumesForm
    variables: VariablesForm

    @classmethod
    def of_post(cls, post: QueryDict) -> Self:
        """Read what was sent."""
        return cls(
            code=CodeForm.of_post(post),
            volumes=VolumesForm.of_post(post),
            variables=VariablesForm.of_post(post),
        )

    @classmethod
    def of_setup(cls, setup: Setup) -> Self:
        """Fill it in."""
        return cls(
            code=CodeForm.of_setup(setup),
            volumes=VolumesForm.of_setup(setup),
            variables=VariablesForm.of_setup(setup),
        )

    def refused(self, fields: Mapping[str, str]) -> Self:
        """The same with what is wrong at where it is wrong."""
        return replace(self, code=self.code.refused(fields), volumes=self.volumes.refused(fields))

    def setup(self) -> Setup:
        """What was asked for. Raises `InvalidInput`."""
        return Setup(
            code=self.code.sources(),
            opens=self.code.opens,
            variables=self.variables.variables(),
            secrets=tuple(self.variables.picked),
            mounts=self.volumes.mounts(),
        )
