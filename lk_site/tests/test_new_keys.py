"""Keys are written once, for their owner only."""

import json
import stat

from lk_site.encryption.keys import load_keys
from lk_site.new_keys import write_new_keys


def test_new_keys_are_for_their_owner_only_and_can_be_loaded(tmp_path):
    path = tmp_path / "var" / "keys.json"
    assert write_new_keys(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keys(path) == json.loads(path.read_text())
    assert list(path.parent.iterdir()) == [path]


def test_keys_that_are_there_are_never_replaced(tmp_path):
    path = tmp_path / "keys.json"
    write_new_keys(path)
    before = path.read_bytes()
    assert not write_new_keys(path)
    assert path.read_bytes() == before
