"""Write a file of new keys, once: `python -m lk_site.new_keys [PATH]`.

Not a management command, because settings already need the keys that it makes.
"""

import os
import secrets
import sys
from pathlib import Path

from lk_site.encryption.key_file import write_private
from lk_site.encryption.keys import generate_keys


def write_new_keys(path: Path) -> bool:
    """Write new keys to `path` with mode 0600 and return True; return False if something is there already.

    The file appears whole or not at all: keys cut short by a crash would lock the data that a second start writes.
    """
    if path.exists():
        return False
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_private(draft, generate_keys())
        os.link(draft, path)  # unlike a rename it never replaces
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def main() -> None:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("LK_KEYS_FILE", "var/keys.json"))
    if not write_new_keys(path):
        sys.exit(f"{path} exists already, and nothing was written.")
    sys.stdout.write(f"New keys are in {path}. Without them the data cannot be read: keep a copy elsewhere.\n")


if __name__ == "__main__":
    main()
