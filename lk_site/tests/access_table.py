"""Who may ask what, and what the answer is: for its owner, his head, a colleague, another agency, staff, nobody.

`login` is a redirect to the login of that door. What each route is asked with stands in `asking`.
"""

from lk_site.tests.walking import Route

TABLE = """
                                                                        anna  vera  boris gleb  staff nobody
GET    /healthz                                                         200   200   200   200   200   200
POST   /healthz                                                         405   405   405   405   405   405
GET    /readyz                                                          200   200   200   200   200   200
POST   /readyz                                                          405   405   405   405   405   405
GET    /seen                                                            404   404   404   404   404   404
POST   /seen                                                            405   405   405   405   405   405

GET    /api/v1/                                                         404   404   404   404   404   404
POST   /api/v1/                                                         404   404   404   404   404   404
GET    /api/v1/openapi.json                                             200   200   200   200   200   200
POST   /api/v1/openapi.json                                             405   405   405   405   405   405
GET    /api/v1/docs                                                     200   200   200   200   200   200
POST   /api/v1/docs                                                     405   405   405   405   405   405
POST   /api/v1/auth/send-code                                           202   202   202   202   202   202
POST   /api/v1/auth/verify-code                                         400   400   400   400   400   400
POST   /api/v1/auth/verify-second-factor                                400   400   400   400   400   400
POST   /api/v1/auth/passkey/begin                                       200   200   200   200   200   200
POST   /api/v1/auth/passkey                                             400   400   400   400   400   400
POST   /api/v1/auth/step-up/passkey/begin                               200   200   200   200   401   401
POST   /api/v1/auth/step-up/passkey                                     400   400   400   400   401   401
POST   /api/v1/auth/logout                                              204   204   204   204   401   401
POST   /api/v1/auth/step-up                                             202   202   202   202   401   401
POST   /api/v1/auth/step-up/verify                                      400   400   400   400   401   401
GET    /api/v1/key                                                      403   403   403   403   401   401
GET    /api/v1/keys                                                     403   200   403   200   401   401
POST   /api/v1/keys                                                     403   403   403   403   401   401
GET    /api/v1/keys/<uuidstr:key_id>                                    404   200   404   404   401   401
PATCH  /api/v1/keys/<uuidstr:key_id>                                    404   403   404   404   401   401
DELETE /api/v1/keys/<uuidstr:key_id>                                    404   204   404   404   401   401
POST   /api/v1/keys/<uuidstr:key_id>/rotate                             404   403   404   404   401   401
GET    /api/v1/keys/<uuidstr:key_id>/deeds                              404   200   404   404   401   401
GET    /api/v1/audit                                                    403   200   403   200   401   401
POST   /api/v1/audit/export                                             403   403   403   403   401   401
POST   /api/v1/audit/alarms/<uuidstr:alarm_id>/seen                     404   204   404   404   401   401
GET    /api/v1/me                                                       200   200   200   200   401   401
PATCH  /api/v1/me                                                       200   200   200   200   401   401
POST   /api/v1/me/consents                                              201   201   201   201   401   401
GET    /api/v1/me/sessions                                              200   200   200   200   401   401
DELETE /api/v1/me/sessions/<uuidstr:session_id>                         204   404   404   404   401   401
POST   /api/v1/me/sessions/end-others                                   204   204   204   204   401   401
GET    /api/v1/me/factors                                               200   200   200   200   401   401
POST   /api/v1/me/factors/passkeys/begin                                403   403   403   403   401   401
POST   /api/v1/me/factors/passkeys                                      403   403   403   403   401   401
DELETE /api/v1/me/factors/passkeys/<uuidstr:passkey_id>                 404   404   404   404   401   401
POST   /api/v1/me/factors/totp                                          403   403   403   403   401   401
DELETE /api/v1/me/factors/totp                                          404   404   404   404   401   401
POST   /api/v1/me/factors/totp/confirm                                  404   404   404   404   401   401
POST   /api/v1/me/factors/backup-codes                                  404   404   404   404   401   401
GET    /api/v1/agents                                                   200   200   200   200   401   401
GET    /api/v1/webhooks                                                 403   200   403   200   401   401
POST   /api/v1/webhooks                                                 403   201   403   201   401   401
GET    /api/v1/webhooks/<uuidstr:webhook_id>                            404   200   404   404   401   401
PATCH  /api/v1/webhooks/<uuidstr:webhook_id>                            404   200   404   404   401   401
DELETE /api/v1/webhooks/<uuidstr:webhook_id>                            404   204   404   404   401   401
POST   /api/v1/webhooks/<uuidstr:webhook_id>/rotate-secret              404   200   404   404   401   401
POST   /api/v1/webhooks/<uuidstr:webhook_id>/switch-off                 404   200   404   404   401   401
POST   /api/v1/webhooks/<uuidstr:webhook_id>/switch-on                  404   200   404   404   401   401
POST   /api/v1/webhooks/<uuidstr:webhook_id>/test                       404   202   404   404   401   401
POST   /api/v1/webhooks/<uuidstr:webhook_id>/replay                     404   202   404   404   401   401
GET    /api/v1/webhooks/<uuidstr:webhook_id>/deliveries                 404   200   404   404   401   401
GET    /api/v1/webhooks/<uuidstr:webhook_id>/deliveries/<uuidstr:delivery_id> 404 200 404 404 401 401
POST   /api/v1/webhooks/<uuidstr:webhook_id>/deliveries/<uuidstr:delivery_id>/replay 404 202 404 404 401 401
GET    /api/v1/pipelines                                                200   200   200   200   401   401
GET    /api/v1/deals/                                                   200   200   200   200   401   401
POST   /api/v1/deals/                                                   201   201   201   201   401   401
GET    /api/v1/deals/<uuidstr:deal_id>                                  200   200   404   404   401   401
PATCH  /api/v1/deals/<uuidstr:deal_id>                                  200   200   404   404   401   401
DELETE /api/v1/deals/<uuidstr:deal_id>                                  204   204   404   404   401   401
POST   /api/v1/deals/<uuidstr:deal_id>/restore                          200   200   404   404   401   401
POST   /api/v1/deals/<uuidstr:deal_id>/stage-moves                      200   200   404   404   401   401
POST   /api/v1/deals/<uuidstr:deal_id>/stage-moves/undo                 200   403   404   404   401   401
POST   /api/v1/deals/<uuidstr:deal_id>/hand-over                        403   200   404   404   401   401
GET    /api/v1/deals/<uuidstr:deal_id>/timeline                         200   200   404   404   401   401
POST   /api/v1/deals/<uuidstr:deal_id>/notes                            201   201   404   404   401   401
PATCH  /api/v1/deals/<uuidstr:deal_id>/notes/<uuidstr:note_id>          200   403   404   404   401   401
DELETE /api/v1/deals/<uuidstr:deal_id>/notes/<uuidstr:note_id>          204   403   404   404   401   401
GET    /api/v1/clients/                                                 200   200   200   200   401   401
POST   /api/v1/clients/                                                 201   201   201   201   401   401
GET    /api/v1/clients/<uuidstr:client_id>                              200   200   404   404   401   401
PATCH  /api/v1/clients/<uuidstr:client_id>                              200   200   404   404   401   401
DELETE /api/v1/clients/<uuidstr:client_id>                              204   204   404   404   401   401
POST   /api/v1/clients/<uuidstr:client_id>/restore                      200   200   404   404   401   401
POST   /api/v1/clients/<uuidstr:client_id>/reveal                       200   200   404   404   401   401
POST   /api/v1/deals/bulk                                               200   200   200   200   401   401
POST   /api/v1/clients/bulk                                             200   200   200   200   401   401
GET    /api/v1/operations/<uuidstr:operation_id>                        200   404   404   404   401   401
GET    /api/v1/lookups/addresses                                        404   404   404   404   401   401
GET    /api/v1/lookups/companies/<inn>                                  404   404   404   404   401   401
GET    /api/v1/changes                                                  403   200   403   200   401   401

GET    /login/                                                          302   302   302   302   200   200
POST   /login/                                                          login login login login login login
GET    /login/code/                                                     login login login login login login
POST   /login/code/                                                     login login login login login login
GET    /login/second/                                                   login login login login login login
POST   /login/second/                                                   login login login login login login
GET    /logout/                                                         405   405   405   405   405   405
POST   /logout/                                                         login login login login login login
GET    /welcome/                                                        302   302   302   302   login login
POST   /welcome/                                                        302   302   302   302   login login
GET    /consent/                                                        200   200   200   200   200   200
POST   /consent/                                                        405   405   405   405   405   405
GET    /consent/<slug:document>/<slug:version>/                         200   200   200   200   200   200
POST   /consent/<slug:document>/<slug:version>/                         405   405   405   405   405   405
GET    /profile/                                                        200   200   200   200   login login
POST   /profile/                                                        302   302   302   302   login login
GET    /more/                                                           200   200   200   200   login login
POST   /more/                                                           405   405   405   405   login login
GET    /language/                                                       405   405   405   405   405   405
POST   /language/                                                       302   302   302   302   302   302
GET    /theme/                                                          405   405   405   405   login login
POST   /theme/                                                          302   302   302   302   login login
GET    /devices/                                                        200   200   200   200   login login
POST   /devices/                                                        405   405   405   405   login login
GET    /devices/<uuid:session_id>/end/                                  405   405   405   405   login login
POST   /devices/<uuid:session_id>/end/                                  302   302   302   302   login login
GET    /devices/end-others/                                             405   405   405   405   login login
POST   /devices/end-others/                                             302   302   302   302   login login
GET    /step-up/                                                        200   200   200   200   login login
POST   /step-up/                                                        302   302   302   302   login login
GET    /protection/                                                     200   200   200   200   login login
POST   /protection/                                                     405   405   405   405   login login
GET    /protection/app/                                                 302   302   302   302   login login
POST   /protection/app/                                                 302   302   302   302   login login
GET    /protection/app/begin/                                           405   405   405   405   login login
POST   /protection/app/begin/                                           302   302   302   302   login login
GET    /protection/app/remove/                                          405   405   405   405   login login
POST   /protection/app/remove/                                          302   302   302   302   login login
GET    /protection/passkeys/<uuid:passkey_id>/remove/                   405   405   405   405   login login
POST   /protection/passkeys/<uuid:passkey_id>/remove/                   302   302   302   302   login login
GET    /protection/backup-codes/                                        405   405   405   405   login login
POST   /protection/backup-codes/                                        302   302   302   302   login login
GET    /keys/                                                           403   200   403   200   login login
POST   /keys/                                                           405   405   405   405   login login
GET    /keys/new/                                                       403   200   403   200   login login
POST   /keys/new/                                                       403   302   403   302   login login
GET    /keys/<uuid:key_id>/                                             404   200   404   404   login login
POST   /keys/<uuid:key_id>/                                             405   405   405   405   login login
GET    /keys/<uuid:key_id>/edit/                                        404   200   404   404   login login
POST   /keys/<uuid:key_id>/edit/                                        404   302   404   404   login login
GET    /keys/<uuid:key_id>/rotate/                                      404   200   404   404   login login
POST   /keys/<uuid:key_id>/rotate/                                      404   302   404   404   login login
GET    /keys/<uuid:key_id>/revoke/                                      405   405   405   405   login login
POST   /keys/<uuid:key_id>/revoke/                                      404   302   404   404   login login
GET    /audit/                                                          403   200   403   200   login login
POST   /audit/                                                          405   405   405   405   login login
GET    /audit/export/                                                   405   405   405   405   login login
POST   /audit/export/                                                   403   302   403   302   login login
GET    /audit/alarms/<uuid:alarm_id>/seen/                              405   405   405   405   login login
POST   /audit/alarms/<uuid:alarm_id>/seen/                              404   302   404   404   login login
GET    /webhooks/                                                       403   200   403   200   login login
POST   /webhooks/                                                       405   405   405   405   login login
GET    /webhooks/new/                                                   403   200   403   200   login login
POST   /webhooks/new/                                                   403   200   403   200   login login
GET    /webhooks/<uuid:webhook_id>/                                     404   200   404   404   login login
POST   /webhooks/<uuid:webhook_id>/                                     405   405   405   405   login login
GET    /webhooks/<uuid:webhook_id>/edit/                                404   200   404   404   login login
POST   /webhooks/<uuid:webhook_id>/edit/                                404   302   404   404   login login
GET    /webhooks/<uuid:webhook_id>/rotate-secret/                       404   200   404   404   login login
POST   /webhooks/<uuid:webhook_id>/rotate-secret/                       404   200   404   404   login login
GET    /webhooks/<uuid:webhook_id>/switch-on/                           405   405   405   405   login login
POST   /webhooks/<uuid:webhook_id>/switch-on/                           404   302   404   404   login login
GET    /webhooks/<uuid:webhook_id>/switch-off/                          405   405   405   405   login login
POST   /webhooks/<uuid:webhook_id>/switch-off/                          404   302   404   404   login login
GET    /webhooks/<uuid:webhook_id>/test/                                405   405   405   405   login login
POST   /webhooks/<uuid:webhook_id>/test/                                404   302   404   404   login login
GET    /webhooks/<uuid:webhook_id>/remove/                              405   405   405   405   login login
POST   /webhooks/<uuid:webhook_id>/remove/                              404   302   404   404   login login
GET    /webhooks/<uuid:webhook_id>/replay/                              404   200   404   404   login login
POST   /webhooks/<uuid:webhook_id>/replay/                              404   302   404   404   login login
GET    /webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/       404   200   404   404   login login
POST   /webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/       405   405   405   405   login login
GET    /webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay/ 405   405   405   405   login login
POST   /webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay/ 404   302   404   404   login login

GET    /                                                                302   302   302   302   login login
POST   /                                                                302   302   302   302   login login
GET    /deals/                                                          200   200   200   200   login login
POST   /deals/                                                          405   405   405   405   login login
GET    /deals/search/                                                   405   405   405   405   login login
POST   /deals/search/                                                   302   302   302   302   login login
GET    /deals/new/                                                      200   200   200   200   login login
POST   /deals/new/                                                      302   302   302   302   login login
GET    /deals/trash/                                                    200   200   200   200   login login
POST   /deals/trash/                                                    405   405   405   405   login login
GET    /deals/<uuid:deal_id>/                                           200   200   404   404   login login
POST   /deals/<uuid:deal_id>/                                           405   405   405   405   login login
GET    /deals/<uuid:deal_id>/edit/                                      200   200   404   404   login login
POST   /deals/<uuid:deal_id>/edit/                                      302   302   404   404   login login
GET    /deals/<uuid:deal_id>/move/                                      200   200   404   404   login login
POST   /deals/<uuid:deal_id>/move/                                      302   302   404   404   login login
GET    /deals/<uuid:deal_id>/undo-move/                                 405   405   405   405   login login
POST   /deals/<uuid:deal_id>/undo-move/                                 302   403   404   404   login login
GET    /deals/<uuid:deal_id>/hand-over/                                 403   200   404   404   login login
POST   /deals/<uuid:deal_id>/hand-over/                                 403   302   404   404   login login
GET    /deals/<uuid:deal_id>/trash/                                     405   405   405   405   login login
POST   /deals/<uuid:deal_id>/trash/                                     302   302   404   404   login login
GET    /deals/<uuid:deal_id>/restore/                                   405   405   405   405   login login
POST   /deals/<uuid:deal_id>/restore/                                   302   302   404   404   login login
GET    /deals/<uuid:deal_id>/notes/                                     405   405   405   405   login login
POST   /deals/<uuid:deal_id>/notes/                                     302   302   404   404   login login
GET    /deals/<uuid:deal_id>/notes/<uuid:note_id>/edit/                 200   403   404   404   login login
POST   /deals/<uuid:deal_id>/notes/<uuid:note_id>/edit/                 302   403   404   404   login login
GET    /deals/<uuid:deal_id>/notes/<uuid:note_id>/delete/               405   405   405   405   login login
POST   /deals/<uuid:deal_id>/notes/<uuid:note_id>/delete/               302   403   404   404   login login
GET    /clients/                                                        200   200   200   200   login login
POST   /clients/                                                        405   405   405   405   login login
GET    /clients/search/                                                 405   405   405   405   login login
POST   /clients/search/                                                 302   302   302   302   login login
GET    /clients/new/                                                    200   200   200   200   login login
POST   /clients/new/                                                    302   302   302   302   login login
GET    /clients/trash/                                                  200   200   200   200   login login
POST   /clients/trash/                                                  405   405   405   405   login login
GET    /clients/<uuid:client_id>/                                       200   200   404   404   login login
POST   /clients/<uuid:client_id>/                                       405   405   405   405   login login
GET    /clients/<uuid:client_id>/edit/                                  200   200   404   404   login login
POST   /clients/<uuid:client_id>/edit/                                  302   302   404   404   login login
GET    /clients/<uuid:client_id>/reveal/                                405   405   405   405   login login
POST   /clients/<uuid:client_id>/reveal/                                200   200   404   404   login login
GET    /clients/<uuid:client_id>/trash/                                 405   405   405   405   login login
POST   /clients/<uuid:client_id>/trash/                                 302   302   404   404   login login
GET    /clients/<uuid:client_id>/restore/                               405   405   405   405   login login
POST   /clients/<uuid:client_id>/restore/                               302   302   404   404   login login

GET    /admin/login/                                                    200   200   200   200   302   200
POST   /admin/login/                                                    422   422   422   422   302   422
GET    /admin/logout/                                                   302   302   302   302   405   302
POST   /admin/logout/                                                   302   302   302   302   login 302
"""

# The rest of the admin is for staff alone: what GET and POST answer to them, after a POST of an empty form.
STAFF_ONLY = {
    "": (200, 200),
    "jsi18n/": (200, 405),
    "autocomplete/": (403, 405),
    "^(?P<app_label>accounts|deals)/$": (200, 200),
    "(?P<url>.*)$": (404, 404),
    "accounts/agency/open/": (200, 422),
    "accounts/agency/<path:object_id>/rename/": (200, 422),
    "accounts/agency/<path:object_id>/close/": (200, 422),
    "accounts/user/join/": (200, 422),
    "accounts/user/find/": (200, 422),
    "accounts/user/lift-range/": (200, 422),
    "accounts/user/<path:object_id>/rename/": (200, 422),
    "accounts/user/<path:object_id>/make-head/": (200, 302),
    "accounts/user/<path:object_id>/make-agent/": (404, 404),  # she is one
    "accounts/user/<path:object_id>/disable/": (200, 302),
    "accounts/user/<path:object_id>/enable/": (404, 404),  # she is
    "accounts/user/<path:object_id>/end-sessions/": (200, 302),
    "accounts/user/<path:object_id>/clear/": (200, 302),
    "accounts/user/<path:object_id>/remove-factors/": (404, 404),  # there are none
    "accounts/user/<path:object_id>/reveal/": (200, 422),  # without a reason
    "accounts/apikey/find/": (200, 422),
    "accounts/apikey/<path:object_id>/revoke/": (200, 302),
    "accounts/schedule/<path:object_id>/ask/": (200, 302),
    "accounts/webhookendpoint/retry-failing/": (200, 302),
    "accounts/webhookendpoint/<path:object_id>/retry/": (200, 302),
    "deals/client/find/": (200, 422),
    "deals/client/<path:object_id>/reveal/": (200, 422),  # without a reason
    "deals/pipeline/<path:object_id>/edit/": (200, 422),
    "deals/pipeline/<path:object_id>/new-stage/": (200, 422),
    "deals/stage/<path:object_id>/edit/": (200, 422),
    "deals/lostreason/new/": (200, 422),
    "deals/lostreason/<path:object_id>/edit/": (200, 422),
}
STAFF_READ = (  # of accounts; and of deals:
    *("agency", "apikey", "backup", "event", "changerecord", "operation", "schedule", "smsmessage", "user"),
    "webhookendpoint",
)
STAFF_READ_WORK = ("client", "deal", "pipeline", "stage", "lostreason")
OF_EACH_MODEL = {  # nobody adds, changes or deletes a row in the admin but through an action
    "": (200, 200),
    "add/": (403, 403),
    "<path:object_id>/": (302, 302),
    "<path:object_id>/change/": (200, 403),
    "<path:object_id>/delete/": (403, 403),
    "<path:object_id>/history/": (200, 200),
}


def allowed() -> dict[Route, tuple[str, ...]]:
    """Return what each route answers to each of PEOPLE."""
    lines = [line.split() for line in TABLE.splitlines()[2:] if line]
    found = {Route(method, address[1:]): tuple(answers) for method, address, *answers in lines}
    models = [f"accounts/{name}/" for name in STAFF_READ] + [f"deals/{name}/" for name in STAFF_READ_WORK]
    of_models = {model + page: answers for model in models for page, answers in OF_EACH_MODEL.items()}
    for pattern, (get, post) in (STAFF_ONLY | of_models).items():
        for method, answer in (("GET", get), ("POST", post)):
            found[Route(method, f"admin/{pattern}")] = (*["login"] * 4, str(answer), "login")
    return found
