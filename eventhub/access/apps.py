from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class AccessConfig(AppConfig):
    name = "eventhub.access"
    default = True

    def ready(self) -> None:
        from eventhub.access.groups import make_groups

        # Once, after the last app: only then are the permissions of all of them there.
        last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
        post_migrate.connect(make_groups, sender=last, dispatch_uid="eventhub.access.groups")


class AdminConfig(admin_apps.AdminConfig):
    default_site = "eventhub.access.site.Site"
    default = False
