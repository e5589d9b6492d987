"""The admin of staff. Django finds `deals.admin` by itself."""

from accounts.admin import agencies, evidence, people
from accounts.admin.site import site

__all__ = ["agencies", "evidence", "people", "site"]
