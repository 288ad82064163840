"""Projections (CQRS read models): tables that follow the events (docs/projections.md)."""

from eventhub.sourcing.projecting.declaring import projection

__all__ = ["projection"]
