"""Sentences that are right for one thing and for many."""


def counted(number: int, one: str, many: str = "") -> str:
    """``1 class``, ``2 classes``; ``many`` is what no simple s makes."""
    return f"{number} {one if number == 1 else many or one + 's'}"
