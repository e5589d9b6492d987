"""The first login: name and consent on one page, and a way out. And the text that a person agrees to."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actor import ActorRequest
from accounts.kept_middleware import kept_initial
from accounts.profile_forms import WelcomeForm
from accounts.services import consents
from accounts.services.consents import ConsentText
from accounts.views.login import next_page
from accounts.views.profile import person
from lk_site.errors import Invalid
from lk_site.form_fields import show_refusal


@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: ActorRequest) -> HttpResponse:
    """Ask for the name and for the consent that is due."""
    user = person(request)
    due = consents.consents_due(user)
    onward = next_page(request) or resolve_url(settings.LOGIN_REDIRECT_URL)
    if not due:
        return redirect(onward)
    text = due[-1]
    if request.method != "POST":
        initial = {"name": user.name or "", "version": text.version} | kept_initial(request)
        return welcome_page(request, WelcomeForm(initial=initial), text)
    form = WelcomeForm(request.POST)
    return redirect(onward) if is_welcomed(request, form, text) else welcome_page(request, form, text, status=422)


def is_welcomed(request: ActorRequest, form: WelcomeForm, text: ConsentText) -> bool:
    """Take name and consent; a text that has changed while it was read is shown again."""
    if not form.is_valid():
        return False
    name, version = form.cleaned_data["name"], form.cleaned_data["version"]
    try:
        consents.welcome(name, text.document, version, actor=request.actor)
    except Invalid as refused:
        show_refusal(form, refused)
        form.data = {**form.data, "version": text.version}
        return False
    return True


def welcome_page(request: ActorRequest, form: WelcomeForm, text: ConsentText, status: int = 200) -> HttpResponse:
    url = reverse("accounts:consent_document", args=[text.document, text.version])
    context = {"form": form, "document_url": url, "next": next_page(request)}
    return render(request, "accounts/welcome.html", context, status=status)


@require_safe
@login_not_required
def consent_document(request: ActorRequest, document: str = consents.PERSONAL_DATA, version: str = "") -> HttpResponse:
    """Show a text that people agree to: the one in force, or a version by its name."""
    texts = [text for text in consents.CONSENTS if text.document == document and version in ("", text.version)]
    shown = [text for text in texts if version or text in consents.offers(timezone.localdate())[:1]]
    if not shown:
        raise Http404
    return render(request, "accounts/consent_document.html", {"text": consents.text_shown(shown[-1])})
