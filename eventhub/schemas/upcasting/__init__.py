"""Old events in new forms. Stored events are never changed: who reads them has them upcast, step by step.

A step leads from one version of an event type to the next. It is declared in one of two places: beside the schemas,
as an expression that people write and try in the catalogue (`catalogue`; for handlers and the API, which ask for a
version), or in the code, as a function (`code`; for aggregates and projections, which want what today's code expects).
"""
