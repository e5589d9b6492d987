from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = "LK: people and evidence"

    def ready(self) -> None:
        from accounts import change_records, triggers
        from accounts.services import canaries

        change_records.register()
        triggers.keep_installed()
        canaries.keep_planted()
