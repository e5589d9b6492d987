"""The admin of staff. Django finds `deals.admin` by itself."""

from accounts.admin import agencies, backups, evidence, keys, people
from accounts.admin.site import site

__all__ = ["agencies", "backups", "evidence", "keys", "people", "site"]
