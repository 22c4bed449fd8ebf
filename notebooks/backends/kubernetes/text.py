"""Text in a pod's specification."""


def literal(text: str) -> str:
    """Write an argument or a variable's value: `$(NAME)` in it would stand for that variable."""
    return text.replace("$", "$$")
