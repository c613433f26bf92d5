"""The one mistake that ends a run before it begins."""

from __future__ import annotations

from guestinit.model.problem import Problem


class Unreadable(Exception):
    """The meta-data cannot be read, so it is not known which machine this is: nothing is planned."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem
