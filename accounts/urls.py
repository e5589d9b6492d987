from django.urls import path

from accounts.views import audit, keys, language, login, profile, sessions, step_up, webhooks, welcome

app_name = "accounts"
urlpatterns = [
    path("login/", login.login, name="login"),
    path("login/code/", login.login_code, name="login_code"),
    path("logout/", login.logout, name="logout"),
    path("welcome/", welcome.welcome, name="welcome"),
    path("consent/", welcome.consent_document, name="consent_document"),
    path("consent/<slug:document>/<slug:version>/", welcome.consent_document, name="consent_document"),
    path("profile/", profile.profile_edit, name="profile_edit"),
    path("more/", profile.more, name="more"),
    path("language/", language.language_set, name="language_set"),
    path("theme/", language.theme_set, name="theme_set"),
    path("devices/", sessions.session_list, name="session_list"),
    path("devices/<uuid:session_id>/end/", sessions.session_end, name="session_end"),
    path("devices/end-others/", sessions.session_end_others, name="session_end_others"),
    path("step-up/", step_up.step_up, name="step_up"),
    path("keys/", keys.key_list, name="key_list"),
    path("keys/new/", keys.key_create, name="key_create"),
    path("keys/<uuid:key_id>/", keys.key_detail, name="key_detail"),
    path("keys/<uuid:key_id>/edit/", keys.key_edit, name="key_edit"),
    path("keys/<uuid:key_id>/rotate/", keys.key_rotate, name="key_rotate"),
    path("keys/<uuid:key_id>/revoke/", keys.key_revoke, name="key_revoke"),
    path("audit/", audit.audit_list, name="audit_list"),
    path("audit/export/", audit.audit_export, name="audit_export"),
    path("webhooks/", webhooks.webhook_list, name="webhook_list"),
    path("webhooks/new/", webhooks.webhook_create, name="webhook_create"),
    path("webhooks/<uuid:webhook_id>/", webhooks.webhook_detail, name="webhook_detail"),
    path("webhooks/<uuid:webhook_id>/edit/", webhooks.webhook_edit, name="webhook_edit"),
    path("webhooks/<uuid:webhook_id>/rotate-secret/", webhooks.webhook_rotate, name="webhook_rotate"),
    path("webhooks/<uuid:webhook_id>/switch-on/", webhooks.webhook_switch_on, name="webhook_switch_on"),
    path("webhooks/<uuid:webhook_id>/switch-off/", webhooks.webhook_switch_off, name="webhook_switch_off"),
    path("webhooks/<uuid:webhook_id>/test/", webhooks.webhook_test, name="webhook_test"),
    path("webhooks/<uuid:webhook_id>/remove/", webhooks.webhook_remove, name="webhook_remove"),
    path("webhooks/<uuid:webhook_id>/replay/", webhooks.webhook_replay, name="webhook_replay"),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/",
        webhooks.webhook_delivery,
        name="webhook_delivery",
    ),
    path(
        "webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/replay/",
        webhooks.webhook_delivery_replay,
        name="webhook_delivery_replay",
    ),
]
