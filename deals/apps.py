from django.apps import AppConfig


class DealsConfig(AppConfig):
    name = "deals"
    verbose_name = "LK: the work"

    def ready(self) -> None:
        from accounts.services import agencies
        from deals.services import work

        agencies.work = work
