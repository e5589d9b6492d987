"""The admin of staff. Django finds `deals.admin` by itself."""

from accounts.admin import agencies, backups, evidence, jobs, keys, people
from accounts.admin.site import site

__all__ = ["agencies", "backups", "evidence", "jobs", "keys", "people", "site"]
