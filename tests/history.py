"""The database as it was before, for tests of migrations."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps

Nodes: TypeAlias = list[tuple[str, str]]


@contextmanager
def history() -> Iterator[Callable[[Nodes], StateApps]]:
    """Give what takes the database to migrations and returns the models of then. At the end it is
    as new again.
    """
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()

    def at(nodes: Nodes) -> StateApps:
        executor.loader.build_graph()
        executor.migrate(nodes)
        return executor.loader.project_state(nodes).apps

    try:
        yield at
    finally:
        executor.loader.build_graph()
        executor.migrate(newest)
