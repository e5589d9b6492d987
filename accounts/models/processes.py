"""The processes of LK that run now, and which keys each has loaded."""

from django.db import models
from django.utils import timezone

from accounts.models.base import new_id


class RunningProcess(models.Model):
    """A web server or a worker since its start; the processes that a web server forks share its row."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    kind = models.CharField(max_length=10)
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    place = models.CharField(max_length=100, blank=True)  # where the pid means something: see `processes.place`
    keys = models.JSONField()  # purpose -> marks of its keys, that of the one that encrypts first
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index("seen_at", name="running_process_sweep")]

    def __str__(self) -> str:
        return f"{self.kind} on {self.host} (pid {self.pid})"

    def knows(self, purpose: str, mark: str) -> bool:
        return mark in self.keys.get(purpose, ())

    def writes_with(self, purpose: str, mark: str) -> bool:
        return bool(self.keys.get(purpose, ())[:1] == [mark])
