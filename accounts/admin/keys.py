"""Keys of programs, as staff look after them: found by a token that has leaked, and ended; never made, never shown."""

from django import forms
from django.contrib import admin
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.actor import Actor
from accounts.admin.columns import admin_url, link
from accounts.admin.filters import AgencyFilter
from accounts.admin.pages import Outcome, StaffAction, StaffAdmin, StaffForm
from accounts.admin.site import site
from accounts.models import ApiKey
from accounts.services import keys
from lk_site.errors import Invalid
from lk_site.form_fields import LineField

TOKEN_AT_MOST = 100


class FindForm(StaffForm):
    """The token that a secret scanner reports: posted, so that it stands in no address."""

    token = LineField(
        most=TOKEN_AT_MOST,
        label=_("Key, or how it begins"),
        help_text=_("lk_live_ and at least ten characters, as a secret scanner reports it."),
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )

    def carry_out(self, actor: Actor) -> Outcome:
        found = keys.find_key(self.cleaned_data["token"], actor=actor)
        if found is None:
            raise Invalid.at("token", "unknown", _("No key begins like this."))
        return Outcome(_("This key has the secret."), leads_to=admin_url(found))


class RevokeForm(StaffForm):
    def carry_out(self, actor: Actor) -> Outcome:
        keys.revoke_key(self.obj.pk, actor=actor)
        return Outcome(_("The key has ended. Programs that ask with it are refused from now on."))


def is_live(key: ApiKey) -> bool:
    return key.is_live(timezone.now())


@admin.register(ApiKey, site=site)
class ApiKeyAdmin(StaffAdmin):
    list_display = ("name", "shown_agency", "shown_scopes", "used_at", "expires_at", "revoked_at")
    list_filter = (AgencyFilter, ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("agency",)
    ordering = ("-id",)
    fields = (
        *("name", "shown_agency", "shown_scopes", "shown_networks", "beginnings", "created_at", "expires_at"),
        *("used_at", "used_from", "revoked_at", "id"),
    )
    list_actions = (StaffAction("find", _("Find by a leaked key"), FindForm),)
    row_actions = (StaffAction("revoke", _("End the key"), RevokeForm, is_live),)

    @admin.display(description=_("agency"))
    def shown_agency(self, key: ApiKey) -> SafeString:
        return link(admin_url(key.agency), key.agency)

    @admin.display(description=_("scopes"))
    def shown_scopes(self, key: ApiKey) -> str:
        return ", ".join(key.scopes) or "—"

    @admin.display(description=_("networks"))
    def shown_networks(self, key: ApiKey) -> str:
        return ", ".join(key.networks) or "—"

    @admin.display(description=_("begins with"))
    def beginnings(self, key: ApiKey) -> str:
        return ", ".join(secret.shown for secret in key.secrets.all())
