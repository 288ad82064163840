from django.apps import AppConfig


class HandlersConfig(AppConfig):
    name = "eventhub.handlers"
    verbose_name = "Handlers"

    def ready(self) -> None:
        """Import the handlers that the code declares, check them, and register the way back of their dead letters."""
        from dlq import routes
        from eventhub.brokers.models import Kind
        from eventhub.handlers import burial, checks, registry

        registry.discover()
        checks.connect()
        routes.register(Kind.HANDLERS, burial.deliver_again)
