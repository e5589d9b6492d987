"""What a User-Agent header says about a device, in words that its owner recognises."""

from django.utils.translation import gettext as _

BROWSERS = (  # the first that is found: most call themselves Chrome and Safari too
    ("YaBrowser", "Yandex Browser"),
    ("YaApp", "Yandex"),
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
PHONES = ("Mobile", "iPhone", "Android")


def name_of(header: str) -> str:
    """Return browser and system, like `Chrome, Android`."""
    found = [first(BROWSERS, header), first(SYSTEMS, header)]
    return ", ".join(name for name in found if name) or _("Unknown device")


def is_phone(header: str) -> bool:
    return any(word in header for word in PHONES)


def first(names: tuple[tuple[str, str], ...], header: str) -> str:
    return next((name for mark, name in names if mark in header), "")
