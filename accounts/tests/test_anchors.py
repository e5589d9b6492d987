"""Anchors outside the database: what they hold, and what they give away that the chain alone does not."""

import json
import shutil
import stat
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from accounts.actor import Actor
from accounts.models import PLATFORM, Action, AgencyHead, Event, EventText, User
from accounts.models.evidence import canonical_json
from accounts.services import anchors, evidence
from accounts.services.anchors import AnchorsBroken
from accounts.tests.clock import Clock, clock
from accounts.tests.people import make_agent
from accounts.tests.recording import record_now
from accounts.tests.side_by_side import side_by_side
from accounts.tests.test_evidence import lifted
from lk_site.encryption.keys import new_key

__all__ = ["clock"]
pytestmark = pytest.mark.django_db
NOVEMBER = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.ANCHORS_DIR = tmp_path / "anchors"
    return tmp_path / "anchors"


@pytest.fixture
def anna(folder: Path) -> User:
    """Anna, of an agency with six events, all anchored."""
    anna = make_agent()
    work(anna, 6)
    anchors.anchor(NOVEMBER)
    return anna


def work(person: User, events: int) -> None:
    for _ in range(events):
        record_now(Actor.of(person), Action.NOTE_ADDED, person, text="call")


def agency_of(person: User) -> UUID:
    assert person.agency_id
    return person.agency_id


def head(person: User) -> AgencyHead:
    return AgencyHead.objects.get(pk=agency_of(person))


def cut(person: User, last: int) -> None:
    """Take the events after a number away and set the head back, as whoever owns the tables could."""
    with lifted():
        gone = Event.objects.filter(agency_id=agency_of(person), seq__gt=last)
        EventText.objects.filter(pk__in=gone.values("pk")).delete()
        gone.delete()
    mac = Event.objects.get(agency_id=agency_of(person), seq=last).mac
    AgencyHead.objects.filter(pk=agency_of(person)).update(seq=last, mac=mac, anchored_seq=last)


def flaw(person: User, folders: Iterable[Path]) -> str:
    return str(dict(evidence.verify(None, folders))[agency_of(person)]).split(" (event")[0]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in anchors.files_in(folder) for line in path.read_text().splitlines()]


# --- what an anchor is


def test_an_anchor_names_the_heads_that_moved(anna, folder):
    gleb = make_agent()
    work(gleb, 2)
    assert anchors.anchor(NOVEMBER) == 1
    assert anchors.anchor(NOVEMBER) == 0
    told = [[(agency, seq) for agency, seq, _ in line["heads"]] for line in lines(folder)]
    assert told == [[(str(anna.agency_id), 6)], [(str(gleb.agency_id), 2)]]
    assert lines(folder)[0]["heads"][0][2] == bytes(head(anna).mac).hex()
    assert (head(anna).anchored_seq, head(gleb).anchored_seq) == (6, 2)


def test_the_file_is_for_its_owner_alone(anna, folder):
    (path,) = anchors.files_in(folder)
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, folder)] == [0o600, 0o700]


def test_the_file_of_a_new_month_names_every_head_and_goes_on_with_the_chain(anna, folder):
    work(make_agent(), 1)
    assert anchors.anchor(NOVEMBER + timedelta(days=30)) == 2
    assert [path.name for path in anchors.files_in(folder)] == ["anchors-2026-11.jsonl", "anchors-2026-12.jsonl"]
    assert flaw(anna, [folder]) == "None"


def test_a_clock_that_is_set_back_over_a_month_breaks_no_chain(anna, folder):
    anchors.anchor(NOVEMBER + timedelta(days=30))
    work(anna, 1)
    anchors.anchor(NOVEMBER)
    assert flaw(anna, [folder]) == "None"


def test_many_heads_stand_in_lines_of_a_thousand(folder):
    AgencyHead.objects.bulk_create([AgencyHead(pk=make_id(number), seq=1, mac=b"m") for number in range(2001)])
    assert anchors.anchor() == 2001
    assert [len(line["heads"]) for line in lines(folder)] == [1000, 1000, 1]
    assert max(len(line) for line in anchors.files_in(folder)[0].read_bytes().splitlines()) < anchors.LINE_AT_MOST / 2


def make_id(number: int) -> str:
    return f"{number:032x}"


def test_a_line_that_a_crash_cut_short_is_written_again(anna, folder):
    (path,) = anchors.files_in(folder)
    work(anna, 1)
    path.write_bytes(path.read_bytes() + b'{"at": "2026-11-2')
    assert flaw(anna, [folder]) == "None", "the database was told of nothing"
    assert anchors.anchor(NOVEMBER) == 1
    assert [line["heads"][0][1] for line in lines(folder)] == [6, 7]
    assert flaw(anna, [folder]) == "None"


def test_an_anchor_that_was_written_and_not_told_is_written_again(anna, folder):
    AgencyHead.objects.update(anchored_seq=0)
    assert anchors.anchor(NOVEMBER) == 1
    assert flaw(anna, [folder]) == "None"


def test_nothing_is_added_to_a_file_whose_last_line_is_none_of_ours(anna, folder):
    (path,) = anchors.files_in(folder)
    path.write_text("hello\n")
    with pytest.raises(AnchorsBroken, match="its last line is no anchor"):
        anchors.anchor(NOVEMBER)
    with pytest.raises(CommandError, match="its last line is no anchor"):
        call_command("anchor")


# --- what it finds


def test_evidence_that_nobody_touched_is_whole_and_may_have_grown(anna, folder):
    assert flaw(anna, [folder]) == "None"
    work(anna, 2)
    record_now(Actor.nobody(), Action.LOGIN_FAILED)
    assert dict(evidence.verify(None, [folder])) == {PLATFORM: None, anna.agency_id: None}


def test_a_cut_tail_is_found_and_only_by_the_anchor(anna, folder):
    cut(anna, 4)
    assert flaw(anna, []) == "None"
    assert flaw(anna, [folder]) == "number 5: the event is missing, and the head goes back: 6 was anchored"


def test_a_cut_tail_is_found_when_others_have_grown_over_it_and_were_anchored(anna, folder):
    cut(anna, 4)
    work(anna, 4)
    anchors.anchor(NOVEMBER)
    assert flaw(anna, []) == "None"
    assert flaw(anna, [folder]) == "number 6: the event is not the one that was anchored"


def test_two_anchors_of_one_number_that_disagree_are_found(anna, folder):
    cut(anna, 4)
    work(anna, 2)
    AgencyHead.objects.update(anchored_seq=0)
    anchors.anchor(NOVEMBER)
    assert flaw(anna, [folder]) == "number 6: the event is not the one that was anchored"


def test_an_agency_whose_whole_evidence_is_gone_is_found(anna, folder):
    with lifted():
        EventText.objects.all().delete()
        Event.objects.all().delete()
    AgencyHead.objects.all().delete()
    assert flaw(anna, [folder]).startswith("number 1: the event is missing")


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace(",6,", ",5,"))


def sign_anew(path: Path) -> None:
    """Edit and chain anew, without the key."""
    (line,) = map(json.loads, path.read_text().splitlines())
    line["heads"][0][1] = 5
    line["mac"] = anchors.line_mac(line["at"], line["heads"], b"").hex()
    path.write_bytes(canonical_json(line).encode() + b"\n")


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (edit, "line 1: the anchor is not as it was written"),
        (lambda path: path.write_text("hello\n"), "line 1: the anchor is not"),
        (lambda path: path.write_text("[]\n"), "line 1: the anchor is not"),
        (lambda path: path.write_bytes(path.read_bytes() * 2), "line 2: the anchor is not"),
        (lambda path: path.unlink(), "there are no anchors"),
        (lambda path: shutil.rmtree(path.parent), "there are no anchors"),
    ],
)
def test_files_that_were_edited_or_are_gone_are_told(anna, folder, harm, what, capsys):
    harm(anchors.files_in(folder)[0])
    with pytest.raises(AnchorsBroken, match=what):
        list(evidence.verify(None, [folder]))
    with pytest.raises(SystemExit, match="1"):
        call_command("verify_audit", anchors=[folder])
    assert what in capsys.readouterr().out


def test_whoever_edits_without_the_key_is_found(anna, folder, settings):
    ours = settings.KEYS
    settings.KEYS = {**ours, "audit": [{"id": 1, "key": new_key()}]}
    sign_anew(anchors.files_in(folder)[0])
    settings.KEYS = ours
    with pytest.raises(AnchorsBroken, match="not as it was written"):
        list(evidence.verify(None, [folder]))


def test_a_month_that_is_gone_is_told(anna, folder):
    for month in range(1, 3):
        work(anna, 1)
        anchors.anchor(NOVEMBER + timedelta(days=30 * month))
    first, second, third = anchors.files_in(folder)
    kept = second.read_bytes()
    second.unlink()
    with pytest.raises(AnchorsBroken, match=f"{third.name}, line 1: .*or one before it is gone"):
        list(evidence.verify(None, [folder]))
    second.write_bytes(kept)
    third.unlink()
    assert flaw(anna, [folder]) == "number 8: the anchor of it is missing from the files"
    first.unlink()
    with pytest.raises(AnchorsBroken, match=f"{second.name}, line 1"):
        list(evidence.verify(None, [folder]))


def test_anchors_of_two_machines_are_read_together(anna, folder, settings, tmp_path):
    settings.ANCHORS_DIR = other = tmp_path / "other"
    work(anna, 2)
    anchors.anchor(NOVEMBER)
    assert flaw(anna, [folder]) == "number 8: the anchor of it is missing from the files"
    assert flaw(anna, [folder, other]) == "None"


def test_anchors_hold_across_a_new_key_of_the_audit(anna, folder, settings):
    old = settings.KEYS
    settings.KEYS = {**old, "audit": [{"id": 2, "key": new_key()}, *old["audit"]]}
    work(anna, 1)
    anchors.anchor(NOVEMBER)
    assert flaw(anna, [folder]) == "None"


def test_the_command_tells_agency_and_number(anna, folder, capsys):
    work(anna, 1)
    call_command("anchor")
    call_command("verify_audit", anchors=[folder])
    assert capsys.readouterr().out == f"1 anchored\n{anna.agency_id} ok\n"
    cut(anna, 4)
    with pytest.raises(SystemExit, match="1"):
        call_command("verify_audit", anchors=[folder], agency=anna.agency_id)
    assert capsys.readouterr().out.startswith(f"{anna.agency_id} number 5: the event is missing, and the head goes")


# --- when


def test_it_is_due_once_a_day_and_after_so_many_events(anna, folder, clock: Clock, settings):
    settings.ANCHOR_EVENTS = 3
    work(anna, 1)
    assert anchors.anchor_if_due(clock.now) == 1, "no worker has anchored yet"
    work(anna, 2)
    clock.forward(hours=23)
    assert anchors.anchor_if_due(clock.now) == 0
    work(anna, 1)
    assert anchors.anchor_if_due(clock.now) == 1, "three events"
    work(anna, 1)
    clock.forward(hours=23, minutes=59)
    assert anchors.anchor_if_due(clock.now) == 0
    clock.forward(minutes=1)
    assert anchors.anchor_if_due(clock.now) == 1, "a day"


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_anchors(folder, clock: Clock):
    work(make_agent(), 1)
    assert sorted(side_by_side(6, lambda _: anchors.anchor_if_due(clock.now))) == [0, 0, 0, 0, 0, 1]
    assert len(lines(folder)) == 1


@pytest.mark.django_db(transaction=True)
def test_anchors_asked_for_side_by_side_are_one_chain(folder):
    anna = make_agent()

    def work_and_anchor(_: int) -> None:
        work(anna, 1)
        anchors.anchor()

    side_by_side(12, work_and_anchor)
    assert head(anna).anchored_seq == 12
    assert flaw(anna, [folder]) == "None"


def test_the_worker_anchors(anna, folder, settings, tmp_path):
    settings.SMS_GATEWAY, settings.SMS_FILE = "file", tmp_path / "sms.jsonl"
    work(anna, 1)
    call_command("worker", once=True)
    assert head(anna).anchored_seq == 7
