"""Refusals as exceptions that hold the problem document."""

import pytest

import lk_client
from lk_client import errors
from lk_client.errors import problem_of, refusal

STALE = {
    "type": "/api/v1/docs#stale",
    "title": "Changed meanwhile",
    "status": 412,
    "detail": "Someone has changed this meanwhile.",
    "code": "stale",
    "instance": "/api/v1/deals/1",
    "request_id": "3f1d0c6f9a2b4e57",
    "errors": [],
    "current_version": 3,
    "changed_fields": ["price"],
}


def test_a_problem_keeps_all_that_the_document_says():
    problem = problem_of(412, STALE)
    assert (problem.status, problem.code, problem.request_id) == (412, "stale", "3f1d0c6f9a2b4e57")
    assert problem.extra == {"current_version": 3, "changed_fields": ["price"]}


def test_stale_says_what_changed():
    stale = refusal(problem_of(412, STALE))
    assert isinstance(stale, lk_client.Stale)
    assert (stale.current_version, stale.changed_fields) == (3, ("price",))
    assert (stale.code, stale.status, stale.request_id) == ("stale", 412, "3f1d0c6f9a2b4e57")


def test_errors_name_the_fields():
    errors = [{"pointer": "/price", "code": "out_of_range", "message": "Too much."}]
    invalid = refusal(problem_of(422, {**STALE, "status": 422, "code": "invalid", "errors": errors}))
    assert isinstance(invalid, lk_client.Invalid)
    assert invalid.errors[0].pointer == "/price"
    assert "/price: Too much." in str(invalid)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "not_json", lk_client.BadRequest),
        (401, "not_authenticated", lk_client.KeyRefused),
        (403, "scope_missing", lk_client.ScopeMissing),
        (403, "not_for_keys", lk_client.NotForKeys),
        (403, "of_tomorrow", lk_client.NotAllowed),
        (404, "not_found", lk_client.NotFound),
        (405, "method_not_allowed", lk_client.BadRequest),
        (409, "client_exists", lk_client.ClientExists),
        (409, "of_tomorrow", lk_client.Conflict),
        (410, "cursor_expired", lk_client.CursorExpired),
        (422, "of_tomorrow", lk_client.Invalid),
        (424, "not_done", lk_client.NotCarriedOut),
        (428, "version_required", lk_client.VersionRequired),
        (429, "too_often", lk_client.LimitReached),
        (500, "server_error", lk_client.ServerError),
        (599, "of_tomorrow", lk_client.ServerError),
        (302, "", lk_client.BadRequest),
    ],
)
def test_each_refusal_has_its_class_and_unknown_codes_that_of_their_status(status: int, code: str, kind: type):
    assert type(refusal(problem_of(status, {**STALE, "status": status, "code": code}))) is kind


@pytest.mark.parametrize("document", [None, [], "x", {"code": 7}, {"error": "from a proxy"}])
def test_an_answer_without_a_problem_document_is_still_a_refusal(document: object):
    problem = problem_of(502, document, "r1")
    assert (problem.status, problem.code, problem.request_id) == (502, "", "r1")
    assert isinstance(refusal(problem), lk_client.ServerError)


@pytest.mark.parametrize("found", [None, "x", [1, None], [{"pointer": 1}]])
def test_members_of_another_shape_break_nothing(found: object):
    stale = refusal(problem_of(412, {**STALE, "errors": found, "current_version": found, "changed_fields": None}))
    assert isinstance(stale, lk_client.Stale)
    assert (stale.current_version, stale.changed_fields) == (None, ())


def test_client_exists_names_the_client_who_is_there():
    found = refusal(problem_of(409, {**STALE, "code": "client_exists", "client": "0198"}))
    assert isinstance(found, lk_client.ClientExists)
    assert found.client == "0198"


def test_every_exception_is_offered_by_the_package():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert {kind.__name__ for kind in kinds} <= set(lk_client.__all__)
