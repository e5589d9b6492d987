"""Tasks, by Django's interface: what calls a worker to a row that waits in the database.

A task of ours names one row, which was queued by the request's own transaction, is leased, and is found by any worker
that looks. So nothing hangs on the call: it may be lost, or made twice, or die with the worker that heard it, and only
delays. With LK_TASKS=database nobody calls, and workers look once a second; with `redis` they wait at a list in Redis,
hear of a row at once, and look into the database seldom.

The packaged backends were read and left: django-tasks-db and RQ keep texts of exceptions, which may quote a row, and
RQ unpickles what lies in Redis, so that whoever can write there runs code here.
"""

from typing import TYPE_CHECKING, Any, cast

import django
from django.utils import timezone

if TYPE_CHECKING or django.VERSION < (6,):
    from django_tasks import default_task_backend, task
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task, TaskResult, TaskResultStatus
else:
    from django.tasks import default_task_backend, task
    from django.tasks.backends.base import BaseTaskBackend
    from django.tasks.base import Task, TaskResult, TaskResultStatus

__all__ = ["Call", "RowBackend", "Task", "messenger", "task"]

Call = tuple[str, list[str]]  # the path of a task, and its arguments


class RowBackend(BaseTaskBackend):
    """Calls nobody: workers look for rows themselves."""

    def enqueue(self, task: Task[..., Any], args: Any, kwargs: Any) -> TaskResult[Any]:
        """Let a row be found. Raises InvalidTaskError for a task that this backend cannot serve."""
        self.validate_task(task)
        self.call(task, list(args))
        return TaskResult(
            task=task,
            id=str(args[0]),
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=list(args),
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )

    def call(self, task: Task[..., Any], args: list[str]) -> None:
        """Tell workers of a row."""

    def heard(self, wait_s: float) -> Call | None:
        """Return the next call, or None if none came in this time."""
        return None

    @property
    def must_look(self) -> bool:
        """Whether a worker has to look for rows now."""
        return True


def messenger() -> RowBackend:
    """Return this thread's backend."""
    return cast("RowBackend", default_task_backend)
