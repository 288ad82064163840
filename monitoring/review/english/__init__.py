"""English as far as the names of events need it: splitting them into words, and telling a fact from a command.

Why a small table of our own and no library: docs/decisions/0024.
"""
