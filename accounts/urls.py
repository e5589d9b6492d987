from django.urls import path

from accounts.views import login, sessions

app_name = "accounts"
urlpatterns = [
    path("login/", login.login, name="login"),
    path("login/code/", login.login_code, name="login_code"),
    path("logout/", login.logout, name="logout"),
    path("devices/", sessions.session_list, name="session_list"),
    path("devices/<uuid:session_id>/end/", sessions.session_end, name="session_end"),
    path("devices/end-others/", sessions.session_end_others, name="session_end_others"),
]
