"""``celery -A eventhub worker --ingest``: a worker that also runs the sources."""

from typing import Any

from celery import Celery, bootsteps
from click import Option

from eventhub.running.turns import take_turns_often


class IngestStep(bootsteps.StartStopStep):
    """Starts the ingest supervisor with the worker and stops it with the worker.

    It runs in threads of the worker's main process, so that a task pool of any kind can stand beside it. Nothing
    is opened before the worker's pool has started, because a prefork pool must not inherit connections.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, ingest: bool = False, **options: Any) -> None:
        super().__init__(parent, **options)
        self.enabled = ingest
        self.supervisor: Any = None

    def start(self, parent: Any) -> None:
        """Start the supervisor under the worker's name, which is how brokers know this consumer."""
        from eventhub.ingest.supervisor import Supervisor

        take_turns_often()
        self.supervisor = Supervisor(parent.hostname)
        self.supervisor.start()

    def stop(self, parent: Any) -> None:
        """Finish the batches in work, acknowledge them, let go of the brokers."""
        if self.supervisor is not None:
            self.supervisor.stop()
            self.supervisor = None

    terminate = stop


def install(app: Celery) -> None:
    """Give the workers of `app` the option ``--ingest``."""
    app.user_options["worker"].add(
        Option(
            ["--ingest"],
            is_flag=True,
            default=False,
            help="Also read the enabled sources into the event store.",
        )
    )
    app.steps["worker"].add(IngestStep)
