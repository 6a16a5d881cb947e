"""Ratios measured in one run: machines are shared and noisy, so only what takes turns is comparable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles


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


def compared(pairs: list[tuple[float, float]], first: str) -> str:
    """Return how the times of two kinds of requests differ, for a report.

    Args:
        pairs: seconds of the first and of the second kind, taken in turns.
        first: what the first kind is called.
    """
    ones, others = (sorted(kind) for kind in zip(*pairs, strict=True))

    def quartiles(seconds: list[float]) -> str:
        return "/".join(f"{part * 1000:.2f}" for part in quantiles(seconds, n=4))

    slower = sum(one > other for one, other in pairs) / len(pairs)
    return (
        f"{median(ones) / median(others):.3f}x; quartiles {quartiles(ones)} and {quartiles(others)} ms; "
        f"{first} slower in {slower:.0%} of {len(pairs)} pairs"
    )
