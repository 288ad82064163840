"""What a source must know and nobody may see: passwords, private keys, tokens.

`parts` says which pieces of a config those are and takes them out of it; `keys` encrypts them; `scrubbing` keeps them
out of what is said and logged; `keeping` does all of this for a Source.
"""
