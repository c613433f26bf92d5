"""YAML text as the readers see it."""

from __future__ import annotations

from guestinit.model.problem import Problems
from guestinit.model.value import Value
from guestinit.reading import yaml_document


def parse(text: str, label: str = "user-data") -> Value:
    """The value of a text that is right; what is wrong with its syntax is a mistake in the test."""
    problems = Problems()
    value = yaml_document.parse(text, label, problems)
    assert value is not None and not problems.found, problems.found
    return value
