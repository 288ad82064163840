"""Sagas: work of several steps, each undone when a later one fails (docs/sagas.md)."""

from eventhub.sagas.declaring import Running, Step, Together, saga

__all__ = ["Running", "Step", "Together", "saga"]
