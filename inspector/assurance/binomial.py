"""Exact binomial tails and limits: what `count` events among `of` trials prove. Standard library only."""

import math


def lower_tail(count: int, of: int, rate: float) -> float:
    """P[Binomial(of, rate) <= count]: how likely so few events are if each has probability `rate`.

    It is the p-value of "the true rate is at least `rate`". Summed term by term from the largest one, relative error
    below 1e-10; `count` and `of` are integers, so no rounding of a rate can move the result across a limit.
    """
    _check(count, of)
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a rate lies in [0, 1], got {rate}")
    if count == of or rate == 0.0:
        return 1.0
    if rate == 1.0:
        return 0.0
    odds = (1.0 - rate) / rate
    # Terms rise up to the mode, so that the largest one of the sum stands at min(count, mode).
    top = min(count, int((of + 1) * rate))
    log_top = _log_choose(of, top) + top * math.log(rate) + (of - top) * math.log1p(-rate)
    total = term = 1.0
    for k in range(top, 0, -1):
        term *= k / (of - k + 1) * odds
        total += term
        if term < 1e-18 * total:
            break
    term = 1.0
    for k in range(top + 1, count + 1):
        term *= (of - k + 1) / k / odds
        total += term
    return min(1.0, math.exp(log_top + math.log(total)))


def upper_limit(count: int, of: int, confidence: float) -> float:
    """The one-sided Clopper-Pearson limit: the true rate is below it with `confidence`. 1.0 without any trial."""
    _check(count, of)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence lies between 0 and 1, got {confidence}")
    if count == of:
        return 1.0
    low, high = count / of, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        if lower_tail(count, of, middle) > 1.0 - confidence:
            low = middle
        else:
            high = middle
    return high  # rounded to the safe side


def trials_needed(rate: float, confidence: float, count: int = 0) -> int:
    """The fewest trials with `count` events that prove a true rate below `rate` with `confidence`."""
    if not 0.0 < rate < 1.0:
        raise ValueError(f"a bound lies between 0 and 1, got {rate}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence lies between 0 and 1, got {confidence}")
    _check(count, count)
    low = high = count + 1
    while lower_tail(count, high, rate) > 1.0 - confidence:
        low, high = high, 2 * high
    while low < high:
        middle = (low + high) // 2
        if lower_tail(count, middle, rate) > 1.0 - confidence:
            low = middle + 1
        else:
            high = middle
    return low


def _check(count: int, of: int) -> None:
    if isinstance(count, float) or isinstance(of, float) or not 0 <= count <= of:
        raise ValueError(f"counts are whole numbers with 0 <= count <= of, got {count} of {of}")


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
