"""`Resources`: how much of a machine a session asks for. Integers in fixed units, no floats."""

from dataclasses import dataclass

from submarine_site.core.sizes import size


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """An amount of each: `cpu_milli` in thousandths of a core, `memory_mib` in MiB, whole GPUs."""

    cpu_milli: int
    memory_mib: int
    gpus: int = 0

    @property
    def cpu(self) -> str:
        """Cores as people write them: `4`, `0.5`."""
        return f"{self.cpu_milli / 1000:g}"

    @property
    def memory(self) -> str:
        """Memory with its unit: `512 MiB`, `16 GiB`."""
        return size(self.memory_mib)

    def __str__(self) -> str:
        parts = [f"{self.cpu} CPU", self.memory]
        if self.gpus:
            parts.append(f"{self.gpus} GPU")
        return " · ".join(parts)
