"""The admin's own site: a login with password and authenticator, its own session, nothing of the agents' pages."""

from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import rotate_token
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters

from accounts import cookies
from accounts.actor import ActorRequest
from accounts.services import backups, staff
from accounts.services.session_store import SessionStore
from accounts.services.staff import Proof, StaffRefused

NOT_OURS = ("password_change", "password_change_done", "view_on_site")  # passwords change by `manage.py staff`


class StaffLoginForm(forms.Form):
    """What a member of staff proves himself with."""

    login = forms.CharField(label=_("Login"), max_length=50, widget=forms.TextInput({"autocomplete": "username"}))
    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=_("Code of the authenticator, or a back-up code"),
        max_length=20,
        widget=forms.TextInput({"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"}),
    )


class StaffSite(AdminSite):
    """Where staff look after people and deals. Everything they change goes through services."""

    site_title = _("LK admin")
    site_header = _("LK admin")
    index_title = _("What to look after")
    index_template = "admin/staff_index.html"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        actor = getattr(request, "actor", None)
        return bool(actor and actor.is_staff)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [url for url in super().get_urls() if getattr(url, "name", None) not in NOT_OURS]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Say first what is wrong with the backups."""
        complaints = backups.state(timezone.now()).complaints
        return super().index(request, {"backup_complaints": complaints, **(extra_context or {})})

    @method_decorator([never_cache, login_not_required, csrf_protect, sensitive_post_parameters("password", "code")])
    def login(self, request: ActorRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        """Let in who has login, password and a code; say the same to everybody else."""
        if self.has_permission(request):
            return redirect(onward(request))
        form = StaffLoginForm(request.POST if request.method == "POST" else None)
        if form.is_valid() and is_let_in(request, form):
            return redirect(onward(request))
        context = {**self.each_context(request), "title": _("Log in"), "form": form, "next": onward(request)}
        request.current_app = self.name
        return TemplateResponse(request, "admin/login.html", context, status=422 if form.is_bound else 200)

    @method_decorator([never_cache, login_not_required])
    def logout(self, request: ActorRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # type: ignore[override]
        """End the session of this browser."""
        if request.method != "POST":
            return HttpResponse(status=405, headers={"Allow": "POST"})
        response = redirect(f"{self.name}:login")
        cookies.let_out(request, response)
        return response


def is_let_in(request: ActorRequest, form: StaffLoginForm) -> bool:
    """Open a session for who proves himself, with a new id and a new CSRF token."""
    proof = Proof(**form.cleaned_data)
    try:
        opened = staff.log_in(proof, browser=request.headers.get("User-Agent", ""), actor=request.actor)
    except StaffRefused as refused:
        form.add_error(None, str(refused))
        return False
    request.session = SessionStore.of(opened.key, opened.row)
    rotate_token(request)
    return True


def onward(request: HttpRequest) -> str:
    """Return the page of the admin that the person was going to, or its first one."""
    index = reverse("admin:index")
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = wanted.startswith(index) and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if is_ours else index


site = StaffSite(name="admin")
