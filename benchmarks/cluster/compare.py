"""Raw limit, JupyterHub and this service under the same load, in turn; a table of medians.

python -m benchmarks.cluster.compare --rounds 3

A machine's speed changes within minutes, so that they take turns within every round, and what ours
is to each is of the same round.
"""

from argparse import ArgumentParser
from statistics import median

from benchmarks.cluster import jupyterhub, raw, throughput
from benchmarks.cluster.common import Launches, Load, connected, run


def table(rounds: list[list[Launches]]) -> str:
    """Make a table in Markdown: one line for each, with what the last of its round is to it."""
    lines = [
        "| | starts/s | first 100 | last 100 | ms CPU per start | ours to it |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for of_one in zip(*rounds, strict=True):
        ratios = [
            ours.per_second() / each.per_second()
            for each, (*_, ours) in zip(of_one, rounds, strict=True)
        ]
        lines.append(
            f"| {of_one[0].name} | {median(each.per_second() for each in of_one):.1f} "
            f"| {median(each.first_and_last()[0] for each in of_one):.1f} "
            f"| {median(each.first_and_last()[1] for each in of_one):.1f} "
            f"| {median(map(_own_milliseconds, of_one)):.1f} "
            f"| {median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f}) |"
        )
    return "\n".join(lines)


def _own_milliseconds(launches: Launches) -> float:
    total = sum(cost.cpu_seconds for cost in launches.costs.values())
    return total / len(launches.ready) * 1000


async def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    load, given = Load.from_arguments(parser)
    rounds = []
    async with connected() as cluster:
        for _ in range(given.rounds):
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
            rounds.append(measured)
    print(table(rounds))


if __name__ == "__main__":
    run(main())
