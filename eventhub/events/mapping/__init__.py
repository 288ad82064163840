"""A source's mapping: which parts of a foreign message are which fields of an event (docs/events.md)."""

from eventhub.events.mapping.applying import apply
from eventhub.events.mapping.expressions import BadMapping, Mapping, Proposal, parse
from eventhub.events.mapping.suggesting import Suggestion, suggest

__all__ = ["BadMapping", "Mapping", "Proposal", "Suggestion", "apply", "parse", "suggest"]
