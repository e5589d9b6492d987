"""Keys are loaded from a private file or the environment, and wrong ones are refused with a sentence, never a key."""

import json
import os

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.services.canaries import check_canary, seal_canary
from lk_site.encryption import KeyInvalid, KeyMissing
from lk_site.encryption.keys import PURPOSES, generate_keys, load_keys, new_key, ring


def key_file(tmp_path, keys, mode=0o600):
    path = tmp_path / "keys.json"
    path.write_text(keys if isinstance(keys, str) else json.dumps(keys))
    path.chmod(mode)
    return path


def test_a_private_file_is_loaded_and_the_environment_goes_before_it(tmp_path):
    keys, others = generate_keys(), generate_keys()
    path = key_file(tmp_path, keys)
    assert load_keys(path) == load_keys(str(path), "") == keys
    assert load_keys(path, json.dumps(others)) == others


def test_without_keys_settings_can_be_read_and_whatever_asks_for_one_is_told(settings, tmp_path):
    assert load_keys(None) == load_keys(tmp_path / "none.json") == {}
    settings.KEYS = {}
    with pytest.raises(KeyMissing, match="no key for fields"):
        ring("fields")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o601])
def test_a_file_that_others_may_touch_is_refused(tmp_path, mode):
    with pytest.raises(KeyInvalid, match="chmod 600"):
        load_keys(key_file(tmp_path, generate_keys(), mode))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(KeyInvalid, match="cannot be read"):
        load_keys(tmp_path)
    (tmp_path / "keys.json").write_bytes(b"\xff\xfe")
    os.chmod(tmp_path / "keys.json", 0o600)
    with pytest.raises(KeyInvalid, match="cannot be read"):
        load_keys(tmp_path / "keys.json")


KEY, SHORT = new_key(), "c2hvcnQ="
WRONG_RINGS = {
    "no list": {"id": 1, "key": KEY},
    "no object": [KEY],
    "no id": [{"key": KEY}],
    "id as text": [{"id": "1", "key": KEY}],
    "id true": [{"id": True, "key": KEY}],
    "id 0": [{"id": 0, "key": KEY}],
    "id 128": [{"id": 128, "key": KEY}],
    "no key": [{"id": 1}],
    "key null": [{"id": 1, "key": None}],
    "short key": [{"id": 1, "key": SHORT}],
    "no base64": [{"id": 1, "key": "!" * 44}],
    "one id twice": [{"id": 1, "key": KEY}, {"id": 1, "key": new_key()}],
    "one key twice": [{"id": 1, "key": KEY}, {"id": 2, "key": KEY}],
}


@pytest.mark.parametrize("wrong", WRONG_RINGS.values(), ids=WRONG_RINGS)
def test_a_wrong_shape_is_refused_without_showing_a_key(wrong):
    with pytest.raises(KeyInvalid) as refusal:
        load_keys(None, json.dumps(generate_keys() | {"fields": wrong}))
    assert KEY not in str(refusal.value)
    assert SHORT not in str(refusal.value)


@pytest.mark.parametrize("text", ["{", "[]", "null", '"x"', '{"fields": 1}'])
def test_what_is_not_an_object_of_lists_is_refused(text):
    with pytest.raises(KeyInvalid):
        load_keys(None, text)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_each_purpose_needs_a_key(purpose):
    keys = generate_keys()
    for lacking in (keys | {purpose: []}, {name: keys[name] for name in keys if name != purpose}):
        with pytest.raises(KeyMissing, match=f"lack {purpose}"):
            load_keys(None, json.dumps(lacking))


def test_no_purpose_borrows_anothers_key_and_none_is_unknown():
    keys = generate_keys()
    with pytest.raises(KeyInvalid, match="twice"):
        load_keys(None, json.dumps(keys | {"client_index": keys["fields"]}))
    with pytest.raises(KeyInvalid, match="unknown purpose: feilds"):
        load_keys(None, json.dumps(keys | {"feilds": [{"id": 1, "key": KEY}]}))


def test_refusals_stop_a_start_as_settings_do():
    assert issubclass(KeyMissing, ImproperlyConfigured)
    assert issubclass(KeyInvalid, ImproperlyConfigured)


def test_the_first_key_encrypts_and_rings_follow_overridden_settings(settings):
    settings.KEYS = generate_keys() | {"fields": [{"id": 7, "key": new_key()}, {"id": 3, "key": new_key()}]}
    assert ring("fields").active_id == 7
    assert ring("fields") is ring("fields")
    before = ring("fields")
    settings.KEYS = generate_keys()
    assert ring("fields") is not before
    with pytest.raises(KeyMissing):
        ring("fields").key(7)


def test_each_column_has_a_key_of_its_own_that_is_derived_once():
    keys = ring("fields")
    assert keys.cipher(1, b"a") is keys.cipher(1, b"a")
    sealed = keys.cipher(1, b"a").encrypt(bytes(12), b"text", None)
    assert keys.cipher(1, b"b").encrypt(bytes(12), b"text", None) != sealed


def test_a_ring_shows_no_key():
    assert repr(ring("fields")) == "<Ring fields: keys 1>"


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_canary_opens_under_its_own_key_alone(settings, purpose):
    token = seal_canary(purpose)
    check_canary(token, purpose)
    keys = settings.KEYS
    settings.KEYS = keys | {purpose: [{"id": 2, "key": new_key()}, *keys[purpose]]}
    check_canary(token, purpose)
    check_canary(seal_canary(purpose, 2), purpose)
    settings.KEYS = generate_keys()
    with pytest.raises(KeyInvalid, match=f"key 1 of {purpose}"):
        check_canary(token, purpose)
    settings.KEYS = keys | {purpose: [{"id": 2, "key": new_key()}]}
    with pytest.raises(KeyMissing, match=f"key 1 of {purpose}"):
        check_canary(token, purpose)


@pytest.mark.parametrize("token", [b"", b"\x01", b"\x01\x01", b"\x01\x01" + bytes(60)])
def test_a_broken_canary_is_refused(token):
    with pytest.raises((KeyMissing, KeyInvalid)):
        check_canary(token, "fields")
