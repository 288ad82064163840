"""Backups of everything that lasts, and their way back: `save`, `check`, `restore`."""
