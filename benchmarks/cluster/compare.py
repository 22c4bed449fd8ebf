"""Raw limit, JupyterHub and this service, one after the other under the same load; a table.

python -m benchmarks.cluster.compare
"""

from benchmarks.cluster import jupyterhub, raw, throughput
from benchmarks.cluster.common import Launches, Load, connected, run


def table(measured: list[Launches]) -> str:
    """Make a table in Markdown: one line for each, with what the last is to it."""
    ours = measured[-1]
    lines = [
        "| | starts/s | first 100 | last 100 | ms CPU per start | ours to it |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for each in measured:
        first, last = each.first_and_last()
        own = sum(cost.cpu_seconds for cost in each.costs.values()) / len(each.ready) * 1000
        lines.append(
            f"| {each.name} | {each.per_second():.1f} | {first:.1f} | {last:.1f} "
            f"| {own:.1f} | {ours.per_second() / each.per_second():.2f} x |"
        )
    return "\n".join(lines)


async def main() -> None:
    load = Load.from_arguments(__doc__)
    async with connected() as cluster:
        measured = []
        for measure in (
            raw.measure,
            jupyterhub.measure_held,
            jupyterhub.measure,
            throughput.measure,
        ):
            launches = await measure(cluster, load)
            launches.report()
            measured.append(launches)
    print(table(measured))


if __name__ == "__main__":
    run(main())
