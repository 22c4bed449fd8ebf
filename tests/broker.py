"""The queue of the tests, in the memory of this process: what was enqueued, and a worker."""

from queue import Empty
from typing import TypeAlias

from submarine_site.celery import app

Enqueued: TypeAlias = tuple[str, list[object]]


class Broker:
    def take(self) -> list[Enqueued]:
        """Take all that was enqueued: the tasks' names and arguments, in order."""
        taken: list[Enqueued] = []
        while (task := self.wait(0)) is not None:
            taken.append(task)
        return taken

    def wait(self, seconds: float) -> Enqueued | None:
        """Take the first that is there, or comes within `seconds`."""
        with app.connection_for_read() as connection, connection.SimpleQueue("celery") as queue:
            try:
                message = queue.get(block=bool(seconds), timeout=seconds)
            except Empty:
                return None
            message.ack()
            return message.headers["task"].rpartition(".")[2], message.payload[0]

    def work(self) -> list[str]:
        """Do all that was enqueued, as a worker does; the names of the tasks done."""
        done: list[str] = []
        while (task := self.wait(0)) is not None:
            name, arguments = task
            full = next(full for full in app.tasks if full.endswith(f".tasks.{name}"))
            app.tasks[full](*arguments)
            done.append(name)
        return done
