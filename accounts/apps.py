from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("People and evidence")

    def ready(self) -> None:
        from accounts import change_records, triggers
        from accounts.services import canaries

        change_records.register()
        triggers.keep_installed()
        canaries.keep_planted()
