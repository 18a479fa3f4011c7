"""The Django app of the record."""

from django.apps import AppConfig


class RunsConfig(AppConfig):
    name = "runs"
    verbose_name = "Investigations"

    def ready(self) -> None:
        from runs import checks  # noqa: F401  registers the system checks
