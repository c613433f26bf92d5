"""Where a document that has to be JSON stops being it: YAML, as which it is read, finds out much later."""

from __future__ import annotations

from guestinit.model.problem import Position, Problem


def explain(problem: Problem, text: str) -> Problem:
    """The problem, at the first character that is no JSON; as it is where that cannot be told."""
    import json  # delayed: only when there is a mistake to explain

    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        at = Position(problem.position.file, error.lineno, error.colno)
        # The decoder's words name what it expects and nothing of the text.
        words = error.msg[:1].lower() + error.msg[1:]
        return problem._replace(position=at, message=f"not valid JSON: {words}", hint="not read")
    except (RecursionError, ValueError):  # int() refuses thousands of digits
        pass
    return problem
