"""What one machine can say of itself: switches, keys, packages, disk, collected files."""

import re
import shutil
import stat
import sys
import time
from importlib import metadata
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from lk_site import environment, startup, static_files
from lk_site.doctor.findings import Level, Said

KEYS_ROTATED_WITHIN_DAYS = 365
FREE_AT_LEAST = 0.1  # of a disk
FREE_BYTES_AT_LEAST, FREE_BYTES_TO_GO_ON = 2 * 1024**3, 256 * 1024**2
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]*))?", re.MULTILINE)


def switches() -> Said:
    """Settings that contradict each other, and those that are for one's own machine."""
    for is_wrong, sentence in startup.LOCAL_RULES if settings.LOCAL else startup.PUBLIC_RULES:
        if is_wrong():
            yield Level.WRONG, sentence.format(settings=settings)
    if settings.DEBUG:
        yield Level.WRONG, "DEBUG is on: every error shows settings and data. Nothing in LK sets it; take it out."
    if settings.LOCAL:
        yield Level.WARN, "LK_LOCAL=1: codes are printed and cookies go by plain http. Never for other people's data."
    elif not settings.SECURE_SSL_REDIRECT:
        yield (
            Level.WARN,
            "LK_SSL_REDIRECT=0: whoever comes by plain http is served; leave it to nginx only if it redirects.",
        )
    if startup.is_public(settings.HOST) and not settings.LOCAL:
        yield Level.WARN, f"HOST={settings.HOST}: others may reach the web server past nginx; leave it at 127.0.0.1."
    yield Level.OK, f"Python {sys.version.split()[0]}, {'local' if settings.LOCAL else 'in public'}."


def hosts() -> Said:
    loose = [host for host in settings.ALLOWED_HOSTS if host == "*" or host.startswith(".")]
    if loose:
        yield Level.WRONG, f"LK_HOSTS has {loose[0]}, which lets others name our site as they like; list whole names."
    if settings.SITE_HOST.lower() != settings.SITE_HOST or "/" in settings.SITE_HOST or ":" in settings.SITE_HOST:
        yield Level.WRONG, f"LK_SITE_HOST={settings.SITE_HOST} is more than a name; write it as lk.example."
    if not settings.LOCAL and settings.TRUSTED_HOPS == 0:
        yield (
            Level.WRONG,
            "LK_TRUSTED_HOPS=0 behind nginx: everybody looks like one address, and https like http. Set it to 1.",
        )
    yield Level.OK, f"The site answers to {', '.join(settings.ALLOWED_HOSTS) or 'no name'}."


def packages() -> Said:
    """Installed versions against the lock file."""
    wanted = locked((settings.BASE_DIR / "requirements.txt").read_text(encoding="utf-8"))
    others = sorted(
        f"{name} {have}, locked {want}" for name, want in wanted.items() if (have := installed(name)) != want
    )
    if others:
        what = f"{others[0]}{f' and {len(others) - 1} more' if others[1:] else ''}"
        yield Level.WRONG, f"Not as tested: {what}. Run: .venv/bin/pip install --require-hashes -r requirements.txt"
    else:
        yield Level.OK, f"{len(wanted)} packages are as requirements.txt locks them."


def locked(text: str) -> dict[str, str]:
    """Return the locked version of each package that this Linux needs."""
    return {name: version for name, version, marker in PINNED.findall(text) if not marker.strip()}


def installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def keys() -> Said:
    """The key file: who may read it, how old it is, and what lies beside it."""
    if environment.text("LK_KEYS"):
        yield (
            Level.WARN,
            "Keys stand in LK_KEYS, where every process of this user can read them; a file of mode 0600 is better.",
        )
        return
    path = Path(settings.KEYS_FILE)
    if not path.exists():
        yield (
            Level.WRONG,
            f"There is no {path}. New ones: python -m lk_site.new_keys {path}, or bring yours from its copy.",
        )
        return
    yield from modes_of_keys(path)
    yield from place_of_keys(path)
    days = int((time.time() - path.stat().st_mtime) / 86_400)
    if days > KEYS_ROTATED_WITHIN_DAYS:
        yield Level.WARN, f"{path} has not changed for {days} days. See: manage.py keys status"
    yield Level.OK, f"{path}. Without a copy of it in another place no backup can be read."


def modes_of_keys(path: Path) -> Said:
    for found in sorted(path.parent.glob(f"*{path.name}*")):
        mode = stat.S_IMODE(found.stat().st_mode)
        if mode & 0o077:
            yield Level.WRONG, f"{found} has mode {mode:04o}, others may read it. Run: chmod 600 {found}"
    if path.parent.stat().st_mode & 0o022:
        yield Level.WRONG, f"Others may put keys of theirs into {path.parent}. Run: chmod go-w {path.parent}"


def place_of_keys(path: Path) -> Said:
    if path.resolve().is_relative_to(Path(settings.BACKUP_DIR).resolve()):
        yield Level.WRONG, f"{path} lies with the backups: whoever takes them can read them. Keep it elsewhere."
    if not settings.LOCAL and path.resolve().is_relative_to(settings.BASE_DIR):
        yield (
            Level.WARN,
            f"{path} lies inside the release, which an upgrade leaves behind. Move it, and set LK_KEYS_FILE.",
        )


def languages() -> Said:
    compiled = settings.BASE_DIR / "locale" / "ru" / "LC_MESSAGES" / "django.mo"
    if not compiled.is_file():
        yield Level.WRONG, "The Russian translation is not there; the release is not whole. Run: make messages"
    try:
        ZoneInfo(settings.TIME_ZONE)
    except ZoneInfoNotFoundError:
        yield Level.WRONG, f"This machine knows no time zone {settings.TIME_ZONE}. Run: apt-get install tzdata"
    if sys.getfilesystemencoding() != "utf-8":
        yield Level.WRONG, f"Files are named in {sys.getfilesystemencoding()}; set LANG=C.UTF-8."
    yield Level.OK, f"Russian and English, {settings.TIME_ZONE}."


def disk() -> Said:
    for folder in sorted({Path(settings.VAR_DIR), Path(settings.BACKUP_DIR)}):
        if folder.exists():
            usage = shutil.disk_usage(folder)
            yield judged(folder, usage.free, usage.total)


def judged(folder: Path, free: int, total: int) -> tuple[Level, str]:
    left = f"{folder} has {free / 1024**3:.1f} GB free of {total / 1024**3:.1f}"
    if free < FREE_BYTES_TO_GO_ON:
        return Level.WRONG, f"{left}: writes are about to fail. Make room now."
    if free < FREE_BYTES_AT_LEAST or free / total < FREE_AT_LEAST:
        return Level.WARN, f"{left}. Make room, or a larger disk."
    return Level.OK, f"{left}."


def static_files_collected() -> Said:
    if missing := static_files.uncollected():
        yield (
            Level.WRONG,
            f"{len(missing)} static files were not collected, {missing[0]} first: pages that name them are errors. "
            "Run: manage.py collectstatic --no-input",
        )
    else:
        yield Level.OK, f"{len(static_files.collected())} files are in {settings.STATIC_ROOT}."
