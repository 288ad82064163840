"""What the registry answers instead of a schema, in the codes of Confluent's API."""


class RegistryError(Exception):
    """A refusal: its code's first three digits are the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(str(self.code)[:3])


def subject_not_found(subject: str) -> RegistryError:
    """Nobody registered anything under it."""
    return RegistryError(40401, f"Subject '{subject}' not found.")


def version_not_found(number: object) -> RegistryError:
    """The subject has other versions."""
    return RegistryError(40402, f"Version {number} not found.")


def schema_not_found() -> RegistryError:
    """No schema has this id, or the subject does not hold this one."""
    return RegistryError(40403, "Schema not found")
