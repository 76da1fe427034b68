"""Text from anyone, in a cell that a spreadsheet may open."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would reckon rather than show."""
HARMLESS = "'"


def shown(text: str) -> str:
    """The text, with a mark before it if it would be taken for a formula."""
    return HARMLESS + text if text.startswith(FORMULA) else text
