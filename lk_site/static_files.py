"""Which static files a page could ask for, and which of them `collectstatic` has put where they are served from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


def uncollected() -> list[str]:
    """Return the files that pages may name and that were not collected, or not since they came."""
    root = Path(settings.STATIC_ROOT)
    served = collected()
    return sorted(name for name in source_names() if name not in served or not (root / served[name]).is_file())


def collected() -> dict[str, str]:
    """Return the served name of every collected file by the name that pages use, as the manifest on disk has it."""
    storage: Any = ManifestStaticFilesStorage(location=settings.STATIC_ROOT)
    return dict(storage.hashed_files)


def source_names() -> Iterator[str]:
    for finder in finders.get_finders():
        for name, _storage in finder.list(ignore_patterns=[]):
            yield name.replace("\\", "/")
