"""Lag: what waits on the brokers, and how those who read from them stand.

``sources`` is what waits for EventHub itself, by source, for the pages of sources and the Overview. ``groups`` is every
consumer group and queue of the watched brokers, whoever's they are, judged by what it does: the Lag page. ``inside`` is
what EventHub reads from its own store. ``thinning`` keeps the history of all of them.
"""
