from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DealsConfig(AppConfig):
    name = "deals"
    verbose_name = _("The work")

    def ready(self) -> None:
        from accounts.services import agencies
        from deals import change_records
        from deals.services import work

        agencies.work = work
        change_records.register()
