"""Each requirement of security.md has its tests, and what no other file tests stands here under its number."""

import ast
import base64
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.db import IntegrityError, connection, models, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Action, Agency, Challenge, Purpose, Session, SmsMessage, StaffBackupCode, User, UserKind
from accounts.services import codes
from accounts.tests.clock import clock
from accounts.tests.logging_in import ANNA, ask_for_code, give_code, other_than, sent_code
from accounts.tests.people import make_agent, make_staff
from lk_site.encryption import EncryptedTextField
from lk_site.serve import ROOT
from lk_site.tests.access_table import allowed
from lk_site.tests.asking import ask
from lk_site.tests.security_table import requirements
from lk_site.tests.test_startup import PUBLIC, migrated, run
from lk_site.tests.walking import Route, World, undone

__all__ = ["clock", "migrated"]
pytestmark = pytest.mark.django_db
SUITE = ("lk_site/tests", "accounts/tests", "deals/tests", "deploy/tests", "clients/python/tests", "tests")


# --- the table itself


@cache
def names_of_tests() -> frozenset[str]:
    """Return the names of all tests of the suite."""
    return frozenset(found.name for path in files_of_tests() for found in functions(path))


def files_of_tests() -> Iterator[Path]:
    kinds = ("test_*.py", "attack_*.py", "fault_*.py")
    return (path for folder in SUITE for kind in kinds for path in (ROOT / folder).rglob(kind))


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("number", requirements())
def test_every_requirement_has_the_tests_that_the_table_names(number: str):
    assert requirements()[number]
    assert sorted(set(requirements()[number]) - names_of_tests()) == []


def test_no_requirement_is_left_out():
    """Sections and paragraphs of security.md, as they are numbered there."""
    paragraphs = {1: 9, 2: 8, 3: 5, 5: 5}
    numbered = {f"{section}.{paragraph}" for section, last in paragraphs.items() for paragraph in range(1, last + 1)}
    assert set(requirements()) == numbered | {"0", "4", "6", "7", "8"}


def test_0_is_found_by_its_number(request: Any):
    assert "security_0" in request.node.extra_keyword_matches
    assert "security_1_2" not in request.node.extra_keyword_matches


# --- 0: numbers


def test_0_every_limit_is_the_number_of_the_requirements():
    hour, day = 3600, 86_400
    wanted = {
        "code.failures.phone": (10, hour),
        "code.failures.source": (20, 600),
        "code.sends.phone.10min": (3, 600),
        "code.sends.phone.hour": (5, hour),
        "code.sends.phone.day": (10, day),
        "code.sends.source.hour": (10, hour),
        "code.sends.source.day": (30, day),
        "code.sends.network.hour": (60, hour),
        "code.sends.unknown.hour": (300, hour),
        "code.sends.unknown.day": (2000, day),
        "code.sends.range.hour": (10, hour),
        "code.sends.known.day_per_agent": (2, day),
        "staff.failures.account": (5, 900),
        "staff.failures.source": (5, 900),
        "evidence.failures.source": (1, 600),
        "evidence.refusals.object": (1, hour),
        "key": (120, 120),
        "person": (1500, 300),
        "anonymous": (300, 300),
        "search": (30, 60),
        "looks": (60, hour),
        "export": (3, day),
    }
    assert {name: configured.LIMITS[name] for name in wanted} == wanted
    assert (configured.CODE_TRIES, configured.OPEN_CHALLENGES_AT_MOST) == (5, 3)
    assert configured.CODE_LIFE.total_seconds() == configured.FRESH_CODE_LIFE.total_seconds() == 300
    assert list(configured.CODE_SPACING) == [60, 120, 300, 600]
    assert (configured.JSON_BYTES_AT_MOST, configured.FORM_BYTES_AT_MOST) == (256 * 1024, 1024 * 1024)


# --- 1: login


def test_1_1_a_challenge_is_128_random_bits():
    first, second = Browser(), Browser()
    for browser in (first, second):
        ask_for_code(browser)
    tokens = [browser.cookies[configured.CHALLENGE_COOKIE_NAME].value for browser in (first, second)]
    assert len(set(tokens)) == 2
    assert all(len(base64.urlsafe_b64decode(token + "==")) * 8 >= 128 for token in tokens)


def test_1_1_a_code_is_stored_as_a_digest_of_challenge_purpose_and_phone(settings: Any):
    mine, other = Challenge(purpose=Purpose.LOGIN), Challenge(purpose=Purpose.LOGIN)
    stored = codes.digest(mine, ANNA, "123456")
    mine.code_digest = stored
    assert codes.is_right(mine, ANNA, "123456")
    mine.purpose = Purpose.STEP_UP
    assert not codes.is_right(mine, ANNA, "123456")
    mine.purpose, other.code_digest = Purpose.LOGIN, stored
    assert not codes.is_right(other, ANNA, "123456")
    assert not codes.is_right(mine, "79260000001", "123456")
    assert b"123456" not in stored
    assert len(stored) >= 32


def test_1_4_a_locked_phone_answers_as_a_wrong_code_does(clock: Any):
    make_agent(phone=ANNA)
    guesser = Browser()
    ask_for_code(guesser)
    code = sent_code(ANNA)
    wrong = refusal(give_code(guesser, ANNA, other_than(code)))
    for number in range(4):
        give_code(guesser, ANNA, other_than(code, number=number))
    clock.forward(minutes=2)
    ask_for_code(guesser)
    code = sent_code(ANNA)
    for number in range(5):
        give_code(guesser, ANNA, other_than(code, number=number))
    clock.forward(minutes=3)
    owner = Browser()
    ask_for_code(owner)
    locked = refusal(give_code(owner, ANNA, sent_code(ANNA)))
    assert locked == wrong
    assert locked[0] == 400


def refusal(answer: Any) -> tuple[int, dict[str, Any]]:
    return answer.status_code, {**answer.json(), "request_id": ""}


def test_1_5_reading_writes_nothing(world: World):
    """Where nothing is a look and last seen is fresh: what counts requests counts outside the database."""
    anna = world.browser("anna")
    for address in ("/api/v1/deals/", "/deals/", "/api/v1/me", "/api/v1/pipelines"):
        anna.get(address)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert anna.get(address).status_code == 200
        written = [query["sql"] for query in asked if re.match(r"\s*(INSERT|UPDATE|DELETE|REPLACE)", query["sql"])]
        assert written == [], address


def test_1_6_only_the_throttle_says_too_often(settings: Any):
    """Over every limit of codes the answer is 202; the throttle counts every request alike and alone says 429."""
    nothing = {name: (0, seconds) for name, (_count, seconds) in settings.LIMITS.items() if name.startswith("code.")}
    settings.LIMITS = {**settings.LIMITS, **nothing, "anonymous": (4, 300)}
    waiting = SmsMessage.objects.count()
    make_agent(phone=ANNA)
    asked = [ask_for_code(Browser(), phone).status_code for phone in (ANNA, "79260000001", ANNA, "79260000002")]
    assert asked == [202] * 4
    assert SmsMessage.objects.count() == waiting
    assert [ask_for_code(Browser(), phone).status_code for phone in (ANNA, "79260000001")] == [429, 429]


def test_1_8_the_field_of_the_code_asks_for_the_right_keys():
    browser = Browser()
    page = browser.post("/login/", {"phone": ANNA}, follow=True).content.decode()
    (field,) = re.findall(r'<input[^>]+name="code"[^>]*>', page)
    assert 'autocomplete="one-time-code"' in field
    assert 'inputmode="numeric"' in field


# --- 2: sessions and pages


@pytest.mark.parametrize(
    "changes",
    [
        {"agency": None},
        {"phone_index": None},
        {"login": "anna"},
        {"password": "!"},
        {"kind": UserKind.STAFF},
        {"kind": "robot"},
    ],
    ids=str,
)
def test_2_3_a_person_is_an_agent_or_staff_and_the_database_says_so(changes: dict[str, Any]):
    anna = make_agent()
    with pytest.raises(IntegrityError, match="user_is_agent_or_staff"), transaction.atomic():
        User.objects.filter(pk=anna.pk).update(**changes)


def test_2_3_staff_have_ten_back_up_codes():
    assert StaffBackupCode.objects.filter(user=make_staff("sofia")).count() == 10


def test_2_4_a_fresh_code_opens_what_the_head_alone_may_and_nothing_more(world: World):
    """Every route of the table again, after a code has just confirmed everybody's session."""
    opened = {}
    Session.objects.update(confirmed_at=timezone.now())
    for route, before in allowed().items():
        if (
            route.method != "GET"
            and re.search("key|audit|me/factors|authenticator", route.pattern)
            and route.door != "admin"
        ):
            opened[route] = answers_of(route, world, before)
    changed = {str(route): answer for route, answer in opened.items() if answer}
    assert changed == {
        "POST /api/v1/keys": {"vera": 201, "gleb": 201},
        "PATCH /api/v1/keys/<uuidstr:key_id>": {"vera": 200},
        "POST /api/v1/keys/<uuidstr:key_id>/rotate": {"vera": 201},
        "POST /api/v1/audit/export": {"vera": 200, "gleb": 200},
        "POST /api/v1/me/factors/passkeys/begin": dict.fromkeys(("anna", "vera", "boris", "gleb"), 200),
        "POST /api/v1/me/factors/passkeys": dict.fromkeys(("anna", "vera", "boris", "gleb"), 400),
        "POST /api/v1/me/factors/totp": dict.fromkeys(("anna", "vera", "boris", "gleb"), 201),
        "POST /keys/new/": {"vera": 200, "gleb": 200},
        "POST /keys/<uuid:key_id>/rotate/": {"vera": 200},
        "POST /audit/export/": {"vera": 200, "gleb": 200},
    }


def answers_of(route: Route, world: World, before: tuple[str, ...]) -> dict[str, int]:
    """Return who gets another answer now than the table says without a fresh code."""
    found = {}
    for who, answer in zip(("anna", "vera", "boris", "gleb"), before, strict=False):
        with undone():
            status = ask(route, world, who).status_code
        if answer not in (str(status), "login"):
            found[who] = status
    return found


def test_2_6_check_deploy_is_clean_and_what_is_silenced_has_its_reason(migrated: Path):
    production = {**PUBLIC, "DJANGO_ALLOW_ASYNC_UNSAFE": ""}
    checked = run(migrated, "manage.py", "check", "--deploy", "--fail-level", "WARNING", **production)
    assert checked.returncode == 0, checked.stderr
    lines = (ROOT / "lk_site" / "settings.py").read_text(encoding="utf-8").splitlines()
    silenced = [line for line in lines if re.search(rf'"({"|".join(configured.SILENCED_SYSTEM_CHECKS)})"', line)]
    assert len(silenced) == len(configured.SILENCED_SYSTEM_CHECKS)
    assert all(len(line.partition("#")[2]) > 20 for line in silenced)


# --- 3: personal data at rest

IN_THE_CLEAR = """
    Backup: name failure
    Agency: name
    User: kind role login password language time_zone theme consent_version
    Consent: document version language text_hash
    Event: action actor_kind request_id object_type
    KeyCanary: purpose
    ChangeRecord: object_pk object_repr changes_text cid actor_email request_id
    IdempotencyKey: scope object_type
    KeptForm: path page
    ApiKey: name
    KeySecret: public_id
    Challenge: purpose
    PasskeyChallenge: use
    Counter: name
    Operation: actor_kind name language request_id state
    SmsMessage: state gateway_id
    RunningProcess: kind host place
    Schedule: name failure
    Session: browser
    WebhookEndpoint: off_why
    WebhookDelivery: type payload state last_error
    WebhookAttempt: error
    Pipeline: code name_ru name_en kind
    Stage: code name_ru name_en kind
    LostReason: code name_ru name_en
    Deal: kind property_type property_address search_text
"""


def test_3_1_every_column_that_holds_text_in_the_clear_is_named_here():
    """A new column of text is encrypted, or somebody has decided here that it holds nothing personal."""
    found = {
        f"{model.__name__}.{field.name}" for model in ours() for field in model._meta.concrete_fields if text(field)
    }
    lines = [line.split(":") for line in IN_THE_CLEAR.split("\n") if line.strip()]
    assert found == {f"{model.strip()}.{name}" for model, names in lines for name in names.split()}


def ours() -> Iterator[type[models.Model]]:
    return (model for model in apps.get_models() if model._meta.app_label in ("accounts", "deals"))


def text(field: Any) -> bool:
    return isinstance(field, models.CharField | models.TextField) and not isinstance(field, EncryptedTextField)


def test_3_1_a_row_is_called_by_its_kind_and_number(world: World):
    personal = ("Агеев", "Мари", "Петров", "7916", "Смотрели", "Власова")
    things = [*world.users.values(), *world.things.values(), *(model.objects.first() for model in ours())]  # type: ignore[attr-defined]
    for thing in things:
        if isinstance(thing, models.Model) and not isinstance(thing, Agency):
            assert not [mark for mark in personal if mark in f"{thing} {thing!r}"], type(thing)


# --- 4: who may what

NARROWED = r"(?:trashed_)?visible_to|revealable_to|of_actor"
READ_PAST = re.compile(rf"\b(Deal|Client|ClientPhone|Look|Search)\.(?:objects|_base_manager)\b(?!\.(?:{NARROWED})\()")


def test_4_no_door_reads_deals_or_clients_past_the_choke_point():
    """Views and API ask `visible_to`, or a service; services read by its id what is known to be one's own."""
    doors = [*(ROOT / "deals" / "views").glob("*.py"), *(ROOT / "deals" / "api").glob("*.py")]
    doors += [*(ROOT / "accounts").glob("*.py"), *(ROOT / "accounts" / "views").glob("*.py")]
    found = {path.name: READ_PAST.findall(path.read_text(encoding="utf-8")) for path in doors}
    assert len(doors) > 20
    assert {name: reads for name, reads in found.items() if reads} == {}


# --- 5: evidence

NOT_YET = {Action.PERSON_ERASED}  # nobody is erased yet; the word stands because evidence is for ever


def test_5_1_every_kind_of_event_is_recorded_somewhere():
    sources = [path for package in ("accounts", "deals", "lk_site") for path in (ROOT / package).rglob("*.py")]
    ours = [path for path in sources if not {"tests", "migrations", "models"} & set(path.parts)]
    told = {name for path in ours for name in re.findall(r"\bAction\.([A-Z_]+)\b", path.read_text(encoding="utf-8"))}
    assert {action for action in Action if action.name not in told} - NOT_YET == set()


# --- 7: limits


def test_7_an_export_is_made_three_times_a_day(world: World):
    Session.objects.update(confirmed_at=timezone.now())
    answers = [ask(Route("POST", "api/v1/audit/export"), world, "vera").status_code for _again in range(4)]
    assert answers == [200, 200, 200, 429]
