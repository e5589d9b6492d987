from django.urls import path

from accounts.views import language, login, profile, sessions, welcome

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
]
