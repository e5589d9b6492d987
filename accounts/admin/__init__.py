"""The admin of staff."""

from accounts.admin.site import site

__all__ = ["site"]
