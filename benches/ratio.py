"""Ratios measured in one run: machines are shared and noisy, so only what takes turns is comparable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Ratio:
    """Ours against a baseline.

    Attributes:
        ours: median seconds (or another figure) of ours.
        baseline: of the baseline.
        rounds: the ratio of each round, sorted.
    """

    ours: float
    baseline: float
    rounds: list[float]

    @property
    def value(self) -> float:
        """The median of the rounds' ratios."""
        return median(self.rounds)

    def __str__(self) -> str:
        return f"{self.value:.2f}x (rounds {self.rounds[0]:.2f}-{self.rounds[-1]:.2f})"


def take_turns(ours: Callable[[], list[float]], baseline: Callable[[], list[float]], rounds: int) -> Ratio:
    """Measure A B A B.

    Args:
        ours: one round of ours: figures of its iterations.
        baseline: the same of the baseline.
        rounds: how many of each.
    """
    pairs = [(median(ours()), median(baseline())) for _ in range(rounds)]
    return Ratio(median(a for a, _ in pairs), median(b for _, b in pairs), sorted(a / b for a, b in pairs))
