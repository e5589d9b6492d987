"""What `make run` does on one's own machine: keys once, migrations, demo data into an empty database, then the site."""

import os
import sys
from pathlib import Path

import django
from django.core.management import call_command

from lk_site.new_keys import write_new_keys
from lk_site.serve import ROOT, listening_socket
from lk_site.startup import check_database, check_settings, leave_database, one_sentence


def prepare() -> None:
    """Bring keys, tables, static files and demo data to where the site can start; what is there is kept."""
    folder = Path(os.environ.get("LK_VAR_DIR", ROOT / "var"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.environ.get("LK_KEYS"):
        write_new_keys(Path(os.environ.get("LK_KEYS_FILE", folder / "keys.json")))

    django.setup()
    check_settings()
    check_database()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("demo")
    leave_database()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lk_site.settings")
    os.environ["LK_LOCAL"] = "1"
    os.environ.setdefault("LK_LOG_LEVEL", "WARNING")  # the terminal is for codes, not for requests
    listening_socket().close()
    os.umask(0o077)  # keys, database and codes are for this user only
    with one_sentence():
        prepare()
    python = os.path.relpath(sys.executable)
    sys.stdout.write(f"The first staff user: LK_LOCAL=1 {python} manage.py staff add LOGIN (then open /admin/)\n")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "lk_site.serve"])


if __name__ == "__main__":
    main()
