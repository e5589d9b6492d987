"""The life of a key: made, known everywhere, put first, everything made anew under it, the old one taken out."""

import json
import os
import stat
from collections import Counter as Counts
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test import Client as Browser
from django.utils import timezone

from accounts.actor import Actor
from accounts.models import Action, Counter, Event, IdempotencyKey, KeyCanary, Role, RunningProcess, User
from accounts.services import agencies, canaries, evidence, idempotency, key_rotation, limits, processes
from accounts.services.key_holders import Change, SealedColumns, holders
from accounts.services.key_rotation import KeyRefused
from accounts.services.processes import KeyNotEverywhere
from accounts.tests.key_machines import Machine
from accounts.tests.people import make_agent, make_staff
from deals.models import Client, ClientPhone, ClientToken, Deal
from deals.services.client_listing import ClientFilter, list_clients
from deals.tests.full_cabinet import LONG_NAME, Cabinet
from deals.tests.making import PHONE, THIRD_PHONE, by, make_client, make_deal
from lk_site.encryption import EncryptedTextField, KeyedField, encrypted_field
from lk_site.encryption.key_file import KeyFile, KeysInEnvironment, KeyVariable, add_last
from lk_site.encryption.keys import PURPOSES, KeyInvalid, KeyMissing, generate_keys, new_key, ring

pytestmark = pytest.mark.django_db
RENEWED = ("fields", "client_index", "agent_index")


@pytest.fixture
def machine(tmp_path: Path, settings: Any) -> Machine:
    return Machine(tmp_path / "machine", settings.KEYS)


@pytest.fixture
def anna() -> User:
    agency = agencies.add_agency("Ключ", actor=Actor.system())
    make_agent(agency, "Вера Власова", role=Role.HEAD)
    return make_agent(agency)


@pytest.fixture
def old_process() -> RunningProcess:
    """A web server that loaded its keys before the test makes another."""
    return announce("old")


def announce(host: str, **fields: Any) -> RunningProcess:
    row = RunningProcess(kind="web", host=host, pid=7, keys=processes.marks(), **fields)
    row.save(force_insert=True)
    return row


def generate(machine: Machine, settings: Any, purpose: str) -> int:
    """Make a key and load it, as every process does that starts from now on."""
    made = key_rotation.generate(purpose, machine.file)
    settings.KEYS = machine.keys
    return made


def rotate(machine: Machine, settings: Any, purpose: str) -> key_rotation.Rotation:
    rotation = key_rotation.rotate(purpose, machine.file)
    settings.KEYS = machine.keys
    return rotation


def counts(purpose: str) -> Counts[int]:
    """Return how many values stand under each key of a purpose."""
    found: Counts[int] = Counts()
    for holder in holders(purpose):
        found.update(holder.counts())
    return found


def steps() -> list[tuple[Any, ...]]:
    told = Event.objects.filter(action=Action.KEYS_ROTATED).order_by("seq").values_list("data", flat=True)
    return [(data["purpose"], data["step"], data["key"]) for data in told]


# --- what rotation reaches


def test_rotation_reaches_every_encrypted_field_of_every_model():
    sealed = {
        (model, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedTextField)
    }
    reached = {
        (one.model, field.name) for one in holders("fields") if isinstance(one, SealedColumns) for field in one.fields
    }
    assert reached == sealed
    assert len(sealed) > 15


def test_every_column_as_long_as_an_index_says_which_key_it_is_of():
    """33 bytes are a key's id and an HMAC: a new column of them must tell rotation how to go on with it."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.BinaryField) and field.max_length == 33:
                assert isinstance(field, KeyedField), f"{model.__name__}.{field.name} is no KeyedField"
                assert field.purpose in PURPOSES
                assert bool(field.parts) != bool(field.stays)


def test_after_a_rotation_nothing_stands_under_the_old_key_and_all_is_read_and_found(machine, settings, anna):
    cabinet = Cabinet(anna)
    make_staff()
    before = {purpose: counts(purpose)[1] for purpose in RENEWED}
    assert all(before.values())
    for purpose in RENEWED:
        generate(machine, settings, purpose)
        rotation = rotate(machine, settings, purpose)
        assert (rotation.flaws, rotation.busy, rotation.left) == ([], 0, {})
        assert counts(purpose) == {2: before[purpose]}
    settings.KEYS = settings.KEYS | {purpose: settings.KEYS[purpose][:1] for purpose in RENEWED}
    assert not [flaw for _, _, flaws in key_rotation.verify() for flaw in flaws]
    assert User.objects.with_phone(anna.phone or "").get() == anna
    for text in (THIRD_PHONE, THIRD_PHONE[-4:], LONG_NAME.split()[0]):
        found = list_clients(ClientFilter(q=text), actor=by(anna), limit=10)
        assert cabinet.client.pk in [row.id for row in found.rows], text
    assert Client.objects.get(pk=cabinet.client.pk).name == LONG_NAME


def test_tokens_of_a_client_are_the_same_ones_under_the_new_key(machine, settings, anna):
    client = make_client(anna, PHONE, THIRD_PHONE, name="Мария Петрова")
    before = ClientToken.objects.filter(client=client).count()
    generate(machine, settings, "client_index")
    rotate(machine, settings, "client_index")
    assert ClientToken.objects.filter(client=client).count() == before


def test_versions_and_times_of_rows_do_not_change(machine, settings, anna):
    deal = make_deal(anna, client_name="Мария", notes="Ключи у соседки")
    generate(machine, settings, "fields")
    rotate(machine, settings, "fields")
    again = Deal.objects.get(pk=deal.pk)
    assert (again.version, again.updated_at, again.notes) == (deal.version, deal.updated_at, "Ключи у соседки")


def test_a_second_rotation_finds_nothing_to_do(machine, settings, anna):
    make_client(anna, PHONE, name="Мария")
    generate(machine, settings, "fields")
    assert rotate(machine, settings, "fields").renewed > 0
    assert rotate(machine, settings, "fields").renewed == 0


# --- known everywhere before it encrypts anywhere


def test_a_new_key_stands_last_and_encrypts_nothing(machine, settings, anna):
    before = machine.keys
    assert generate(machine, settings, "fields") == 2
    assert machine.ids("fields") == [1, 2]
    assert {purpose: machine.keys[purpose] for purpose in PURPOSES if purpose != "fields"} == {
        purpose: before[purpose] for purpose in PURPOSES if purpose != "fields"
    }
    make_client(anna, PHONE, name="Мария")
    assert set(counts("fields")) == {1}
    assert canaries.planted("fields") == [1]


def test_no_second_key_is_made_before_the_first_is_used(machine, settings):
    generate(machine, settings, "fields")
    with pytest.raises(KeyRefused, match="rotate to it first"):
        key_rotation.generate("fields", machine.file)


def test_rotation_is_refused_while_a_running_process_does_not_know_the_key(machine, settings, anna, old_process):
    make_client(anna, PHONE, name="Мария")
    generate(machine, settings, "fields")
    with pytest.raises(KeyNotEverywhere, match=r"web on old \(pid 7\)"):
        key_rotation.rotate("fields", machine.file)
    assert machine.ids("fields") == [1, 2]
    assert canaries.planted("fields") == [1]
    assert set(counts("fields")) == {1}


def test_another_key_of_the_same_id_is_not_the_one_that_is_meant(machine, settings):
    settings.KEYS = settings.KEYS | {"fields": [*settings.KEYS["fields"], {"id": 2, "key": new_key()}]}
    announce("its own key 2")
    settings.KEYS = machine.keys
    generate(machine, settings, "fields")
    with pytest.raises(KeyNotEverywhere, match="its own key 2"):
        key_rotation.rotate("fields", machine.file)


@pytest.mark.parametrize("gone", ["unseen", "dead"])
def test_a_process_that_is_gone_does_not_count(machine, settings, old_process, gone):
    if gone == "unseen":
        RunningProcess.objects.update(seen_at=timezone.now() - processes.COUNTED_FOR - timedelta(seconds=1))
    else:
        RunningProcess.objects.update(place=processes.place(), pid=2**22 + 1)  # above every pid of Linux
    generate(machine, settings, "fields")
    assert rotate(machine, settings, "fields").behind == []


def test_a_rotation_names_who_still_writes_with_the_old_key(machine, settings):
    generate(machine, settings, "fields")
    knows = announce("knows, and writes with the old one")
    assert rotate(machine, settings, "fields").behind == [knows]
    assert "restart web on knows" in key_rotation.status("fields").next_step


def test_a_process_without_a_key_that_is_used_does_not_join(machine, settings):
    old = settings.KEYS
    generate(machine, settings, "fields")
    rotate(machine, settings, "fields")
    settings.KEYS = old
    with pytest.raises(KeyMissing, match="key 2 of fields is not loaded"):
        processes.join("web")
    assert not RunningProcess.objects.exists()


def test_a_process_whose_file_was_changed_by_hand_does_not_join_either(machine, settings, old_process):
    settings.KEYS = settings.KEYS | {"fields": [{"id": 2, "key": new_key()}, *settings.KEYS["fields"]]}
    with pytest.raises(KeyNotEverywhere, match="web on old"):
        processes.join("web")
    assert list(RunningProcess.objects.all()) == [old_process]
    assert canaries.planted("fields") == [1]


def test_a_process_that_comes_back_without_the_new_key_answers_503(machine, settings):
    with processes.joined("web"):
        mine, old = processes.own, settings.KEYS
        assert mine is not None
        RunningProcess.objects.all().delete()  # others ceased to count it long ago
        generate(machine, settings, "fields")
        rotate(machine, settings, "fields")
        settings.KEYS = old
        assert Browser().get("/login/").status_code == 200, "its lease still runs"
        mine.renew_at = mine.ends_at = 0
        response = Browser().get("/login/")
        assert (response.status_code, response["Retry-After"]) == (503, "5")
        settings.KEYS = machine.keys
        assert Browser().get("/login/").status_code == 200


def test_a_process_renews_while_it_serves(machine):
    with processes.joined("web"):
        RunningProcess.objects.update(seen_at=timezone.now() - timedelta(minutes=2))
        assert processes.own is not None
        processes.own.renew_at = 0
        assert Browser().get("/login/").status_code == 200
        assert RunningProcess.objects.get().seen_at > timezone.now() - timedelta(seconds=30)
    assert not RunningProcess.objects.exists()


# --- what cannot be read


def spoil(row: models.Model, column: str) -> bytes:
    """Break a value of a row, and return what stands there then."""
    table, field = row._meta.db_table, cast("models.Field[Any, Any]", row._meta.get_field(column))
    broken = bytes((1, 1)) + bytes(40)
    with connection.cursor() as cursor:
        key = row._meta.pk.get_db_prep_value(row.pk, connection)
        cursor.execute(f'UPDATE {table} SET "{field.column}" = %s WHERE id = %s', [broken, key])
    return broken


def raw(row: models.Model, column: str) -> bytes:
    with connection.cursor() as cursor:
        key = row._meta.pk.get_db_prep_value(row.pk, connection)
        cursor.execute(f'SELECT "{column}" FROM {row._meta.db_table} WHERE id = %s', [key])
        return bytes(cursor.fetchone()[0])


def test_what_cannot_be_read_is_told_and_left_and_the_rest_is_rotated(machine, settings, anna):
    lost, kept = make_client(anna, PHONE, name="Мария"), make_client(anna, THIRD_PHONE, name="Пётр")
    broken = spoil(lost, "name")
    generate(machine, settings, "fields")
    rotation = rotate(machine, settings, "fields")
    assert rotation.flaws == [f"deals.Client name of {lost.pk}: InvalidTag"]
    assert raw(lost, "name") == broken
    assert raw(kept, "name")[1] == 2
    assert rotation.left == {1: 1}
    with pytest.raises(KeyRefused, match="1 values stand under key 1"):
        key_rotation.retire("fields", 1, machine.file)


def test_a_client_whose_name_cannot_be_read_keeps_what_finds_him(machine, settings, anna):
    lost = make_client(anna, PHONE, name="Мария")
    before = set(ClientToken.objects.values_list("token", flat=True))
    spoil(lost, "name")
    generate(machine, settings, "client_index")
    rotation = rotate(machine, settings, "client_index")
    assert len(rotation.flaws) == 1
    assert set(ClientToken.objects.values_list("token", flat=True)) == before


def test_verify_names_what_cannot_be_read_and_ends_with_status_1(anna):
    lost, said = make_client(anna, PHONE, name="Мария"), StringIO()
    call_command("keys", "verify", stdout=said)
    assert "0 are not right" in said.getvalue()
    spoil(lost, "name")
    number = lost.phones.get()
    ClientPhone.objects.filter(pk=number.pk).update(phone_index=bytes((1,)) + bytes(32))
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("keys", "verify", stdout=said)
    assert ended.value.code == 1
    assert "2 are not right" in said.getvalue()
    assert f"deals.Client name of {lost.pk}: it cannot be read" in said.getvalue()
    assert f"deals.ClientPhone phone_index of {number.pk}: it is not the index" in said.getvalue()


def test_a_value_that_was_changed_meanwhile_is_not_overwritten(anna):
    client = make_client(anna, PHONE, name="Мария")
    field, old = encrypted_field(Client, "name"), raw(client, "name")
    Client.objects.get(pk=client.pk).save()  # an untouched text is written back byte for byte
    changed = Client.objects.get(pk=client.pk)
    changed.name = "Мария Иванова"
    changed.save()
    (sealed,) = [one for one in holders("fields") if isinstance(one, SealedColumns) and one.model is Client]
    assert sealed.written([Change(client.pk, (field,), (b"\x01\x02new",), (old,))]) == 0
    assert Client.objects.get(pk=client.pk).name == "Мария Иванова"


# --- the end of a key


def test_a_key_is_retired_once_nothing_needs_it(machine, settings, anna):
    make_client(anna, PHONE, name="Мария")
    generate(machine, settings, "fields")
    with pytest.raises(KeyRefused, match="encrypts; rotate to another one first"):
        key_rotation.retire("fields", 1, machine.file)
    rotate(machine, settings, "fields")
    writes = announce("slow", seen_at=timezone.now())
    RunningProcess.objects.update(keys={"fields": list(reversed(writes.keys["fields"]))})
    with pytest.raises(KeyRefused, match="These still write with key 1 of fields, restart them: web on slow"):
        key_rotation.retire("fields", 1, machine.file)
    writes.delete()
    first = machine.keys["fields"][1]
    aside = key_rotation.retire("fields", 1, machine.file)
    assert machine.ids("fields") == [2]
    assert json.loads(Path(str(aside)).read_text()) == [{"purpose": "fields", **first}]
    assert stat.S_IMODE(Path(str(aside)).stat().st_mode) == 0o600
    settings.KEYS = machine.keys
    canaries.check_canaries()
    assert canaries.planted("fields") == [2]
    assert Client.objects.get().name == "Мария"


def test_a_key_that_is_not_there_cannot_be_retired(machine):
    with pytest.raises(KeyRefused, match="fields has no key 5; it has 1"):
        key_rotation.retire("fields", 5, machine.file)


def test_a_ring_with_one_key_has_nothing_to_rotate_to(machine):
    with pytest.raises(KeyRefused, match="keys generate fields"):
        key_rotation.rotate("fields", machine.file)


def test_every_step_leaves_evidence_without_a_key_in_it(machine, settings, anna):
    generate(machine, settings, "fields")
    rotate(machine, settings, "fields")
    key_rotation.retire("fields", 1, machine.file)
    assert steps() == [
        ("fields", "generated", 2),
        ("fields", "promoted", 2),
        ("fields", "rotated", 2),
        ("fields", "retired", 1),
    ]
    secrets = [entry["key"] for keys in settings.KEYS.values() for entry in keys]
    told = str(list(Event.objects.values_list("data", flat=True)))
    assert not any(secret in told for secret in secrets)


# --- rings whose values nobody can make anew


def test_new_events_are_chained_under_the_new_audit_key_and_the_old_key_stays(machine, settings, anna):
    make_client(anna, PHONE)
    generate(machine, settings, "audit")
    rotate(machine, settings, "audit")
    make_client(anna, THIRD_PHONE)
    assert set(counts("audit")) == {1, 2}
    assert [flaw for _, flaw in evidence.verify()] == [None] * len(evidence.agencies_with_evidence())
    with pytest.raises(KeyRefused, match="stand for ever"):
        key_rotation.retire("audit", 1, machine.file)
    assert "older keys stay" in key_rotation.status("audit").next_step


def test_digests_of_texts_keep_their_key(machine, settings, anna):
    Cabinet(anna)
    generate(machine, settings, "digests")
    rotate(machine, settings, "digests")
    assert [flaw for _, flaw in evidence.verify()] == [None] * len(evidence.agencies_with_evidence())
    with pytest.raises(KeyRefused, match="digests of their texts for ever"):
        key_rotation.retire("digests", 1, machine.file)


def test_back_up_codes_of_staff_open_under_the_old_key_until_they_are_made_anew(machine, settings):
    make_staff()
    generate(machine, settings, "codes")
    rotate(machine, settings, "codes")
    with pytest.raises(KeyRefused, match="staff reset-totp"):
        key_rotation.retire("codes", 1, machine.file)
    call_command("staff", "reset-totp", "sonya", stdout=StringIO())
    key_rotation.retire("codes", 1, machine.file)
    assert machine.ids("codes") == [2]


def test_a_limit_goes_on_counting_where_it_was(machine, settings):
    taken = [bool(limits.take("export", "anna")) for _ in range(2)]
    generate(machine, settings, "digests")
    rotate(machine, settings, "digests")
    taken += [bool(limits.take("export", "anna")) for _ in range(2)]
    assert taken == [True, True, True, False]
    assert [bytes(key)[0] for key in Counter.objects.values_list("pk", flat=True)] == [2]


def test_processes_that_write_with_different_keys_share_a_limit(machine, settings):
    generate(machine, settings, "digests")
    both = settings.KEYS
    orders = [both, both | {"digests": both["digests"][::-1]}]
    taken = []
    for turn in range(6):
        settings.KEYS = orders[turn % 2]
        taken.append(bool(limits.take("export", "anna")))
    assert taken == [True] * 3 + [False] * 3
    assert Counter.objects.count() == 1


def test_an_idempotency_key_is_known_to_processes_that_write_with_different_keys(machine, settings, anna):
    generate(machine, settings, "digests")
    both = settings.KEYS
    done = []

    def effect() -> idempotency.Answer:
        done.append(1)
        return idempotency.Answer(201, "made")

    for order in (both, both | {"digests": both["digests"][::-1]}, both):
        settings.KEYS = order
        assert idempotency.answer_once("POST /x", "k", b"body", actor=by(anna), effect=effect).body == "made"
    assert len(done) == 1
    assert IdempotencyKey.objects.count() == 1


def test_the_signing_key_changes_and_the_old_one_is_believed_until_it_is_retired(machine, settings):
    generate(machine, settings, "signing")
    rotate(machine, settings, "signing")
    assert machine.ids("signing") == [2, 1]
    assert not KeyCanary.objects.filter(purpose="signing").exists()
    key_rotation.retire("signing", 1, machine.file)
    assert machine.ids("signing") == [2]


# --- what an operator reads


def test_status_says_what_to_do_next_until_nothing_is_left(machine, settings, anna):
    make_client(anna, PHONE, name="Мария")
    announce("one")

    def next_step() -> str:
        return key_rotation.status("fields").next_step

    assert next_step() == "nothing; for another key: manage.py keys generate fields"
    generate(machine, settings, "fields")
    assert next_step() == "copy the key file to every machine and restart web on one (pid 7)"
    RunningProcess.objects.update(keys=processes.marks())
    assert next_step() == "manage.py keys rotate fields"
    rotate(machine, settings, "fields")
    assert next_step().startswith("copy the key file to every machine and restart web on one (pid 7); then:")
    RunningProcess.objects.update(keys=processes.marks())
    assert next_step() == "manage.py keys retire fields 1"
    key_rotation.retire("fields", 1, machine.file)
    settings.KEYS = machine.keys
    assert next_step() == "nothing; for another key: manage.py keys generate fields"


def test_status_shows_what_stands_under_each_key_and_never_a_key(settings, anna):
    make_client(anna, PHONE, name="Мария")
    announce("one")
    said = StringIO()
    call_command("keys", "status", stdout=said)
    assert "web on one (pid 7), seen 0 s ago" in said.getvalue()
    assert "key 1   encrypts" in said.getvalue()
    assert "1 deals.ClientPhone phone_index" in said.getvalue()
    assert "known to all 1" in said.getvalue()
    assert not any(entry["key"] in said.getvalue() for keys in settings.KEYS.values() for entry in keys)


def test_keys_in_the_environment_are_shown_as_they_must_become(settings):
    said = StringIO()
    with pytest.raises(CommandError, match="give it the value below on every machine"):
        call_command("keys", "generate", "fields", stdout=said)
    shown = json.loads(said.getvalue())
    assert [entry["id"] for entry in shown["fields"]] == [1, 2]
    settings.KEYS = shown
    with pytest.raises(KeysInEnvironment) as refused:
        key_rotation.rotate("fields", KeyVariable(settings.KEYS))
    assert [entry["id"] for entry in json.loads(refused.value.text)["fields"]] == [2, 1]
    settings.KEYS = json.loads(refused.value.text)
    assert key_rotation.rotate("fields", KeyVariable(settings.KEYS)).key_id == 2


# --- the file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "are not JSON"),
        ('{"fields": [{"id": 1, "key": "QUJD', "are not JSON"),
        ("{}", "lack fields"),
        (json.dumps(generate_keys() | {"fields": [{"id": 1, "key": "QUJD"}]}), "not 32 bytes"),
    ],
)
def test_a_wrong_or_truncated_file_is_never_changed(machine, text, says):
    machine.write(text)
    with pytest.raises((KeyInvalid, KeyMissing), match=says):
        key_rotation.generate("fields", machine.file)
    assert machine.path.read_text() == text
    assert steps() == []


def test_a_file_that_others_may_read_is_not_changed(machine):
    machine.path.chmod(0o640)
    with pytest.raises(KeyInvalid, match="chmod 600"):
        key_rotation.generate("fields", machine.file)


def test_a_file_that_is_not_there_cannot_be_changed(tmp_path):
    with pytest.raises(KeyInvalid, match="cannot be read"):
        key_rotation.generate("fields", KeyFile(tmp_path / "nowhere.json"))
    with pytest.raises(KeyInvalid, match="cannot be written"):
        key_rotation.generate("fields", KeyFile(tmp_path / "no folder" / "keys.json"))


def test_a_new_file_is_private_whole_and_alone(machine):
    machine.file.change(add_last("fields", set()))
    assert stat.S_IMODE(machine.path.stat().st_mode) == 0o600
    assert [path.name for path in machine.folder.iterdir()] == ["keys.json"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner_when_root_changes_it(machine):
    os.chown(machine.path, 65534, 65534)
    machine.file.change(add_last("fields", set()))
    assert (machine.path.stat().st_uid, machine.path.stat().st_gid) == (65534, 65534)


def test_a_link_to_the_file_stays_a_link(machine):
    link = machine.folder / "link.json"
    link.symlink_to(machine.path)
    KeyFile(link).change(add_last("fields", set()))
    assert link.is_symlink()
    assert machine.ids("fields") == [1, 2]


def test_an_id_never_comes_back(machine):
    machine.file.change(add_last("fields", {7}))
    assert machine.ids("fields") == [1, 8]
    with pytest.raises(KeyInvalid, match="no more ids"):
        machine.file.change(add_last("fields", {127}))


def test_a_disk_that_is_full_leaves_the_old_file(machine):
    before = machine.path.read_text()
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
        "from pathlib import Path; from lk_site.encryption.key_file import KeyFile, add_last;"
        f"KeyFile(Path({str(machine.path)!r})).change(add_last('fields', set()))"
    )
    refused = machine.run("-c", limited)
    assert "cannot be written (File too large); nothing was changed" in refused.stderr
    assert machine.path.read_text() == before
    assert [path.name for path in machine.folder.iterdir()] == ["keys.json"]


def test_the_fingerprint_of_a_key_tells_keys_apart_and_nothing_of_them(settings):
    first = ring("fields").fingerprint(1)
    settings.KEYS = settings.KEYS | {"fields": [{"id": 1, "key": new_key()}]}
    assert ring("fields").fingerprint(1) != first
    assert len(first) == 12
