"""Cells of CSV files, which people open in spreadsheets."""

# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def harmless(value: object) -> object:
    """The value; text that a spreadsheet would calculate gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
