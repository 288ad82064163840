"""Retry jobs: letters that are sent again as one durable piece of work.

`starting` takes an order and `marking` writes down every letter of it; `driving` carries it out, batch by batch,
under a `lease`; `planning`, `ramp`, `bucket` and `pacing` decide and touch nothing; `controlling` is for people who
pause, resume and cancel; `progress` and `results` tell how it goes; `preflight` says beforehand what would happen.
"""
