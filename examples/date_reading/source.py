"""A date as the model sees it: the language's tag, then character by character."""

from __future__ import annotations


def source_tokens(language: str, text: str) -> tuple[str, ...]:
    """Cuts a written date into tokens.

    Args:
        language: The language's tag, one token. Without it 03/04/2021 would have two meanings.
        text: The date as written.

    Returns:
        The tokens.

    Example:
        >>> source_tokens("de", "4. Mai")
        ('[de]', '4', '.', ' ', 'M', 'a', 'i')
    """
    return (f"[{language}]", *text)
