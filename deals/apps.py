from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DealsConfig(AppConfig):
    name = "deals"
    verbose_name = _("The work")

    def ready(self) -> None:
        from accounts.services import agencies, key_holders, operations
        from deals import change_records
        from deals.api.bulk import RUNNERS
        from deals.services import work
        from deals.services.client_tokens import ClientTokens

        agencies.work = work
        operations.RUNNERS.update(RUNNERS)
        key_holders.OTHERS.append(ClientTokens)
        change_records.register()
