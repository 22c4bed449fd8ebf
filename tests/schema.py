"""The API's schema as it is documented, which `make lint` sets against the code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SCHEMA = yaml.safe_load((Path(__file__).parents[1] / "docs/openapi.yaml").read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    path: str
    method: str
    said: dict[str, Any]

    def takes(self, parameter: str) -> bool:
        return parameter in {each["name"] for each in self.said.get("parameters", ())}


OPERATIONS = {
    said["operationId"]: Operation(path=path, method=method, said=said)
    for path, operations in SCHEMA["paths"].items()
    for method, said in operations.items()
}
