"""Event-sourced streams, time travel and projections (docs/building.md)."""
