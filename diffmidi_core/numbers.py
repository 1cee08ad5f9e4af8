"""How numbers are written for people, everywhere: figures, counts, shares and times."""

from __future__ import annotations


def figure_text(value: float, digits: int = 3) -> str:
    """A measured number in three digits: 0.00121, 3.39, 6e-06; whole from a thousand on: 12,345."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if abs(float(text)) >= 1000 else text


def spread_text(error: float) -> str:
    """A standard error, to stand behind its figure: "± 0.012"."""
    return f"± {figure_text(error, 2)}"


def interval_text(ends: tuple[float, float] | list[float], sign: str = " to ") -> str:
    """An interval: "3.31 to 3.47"."""
    low, high = ends
    return f"{figure_text(low)}{sign}{figure_text(high)}"


def count_text(count: int) -> str:
    """A whole number, exactly: 12,345."""
    return f"{count:,}"


def counted(count: int, what: str) -> str:
    """So many of them: "1 piece", "2 pieces"."""
    return f"{count_text(count)} {what}{'' if count == 1 else 's'}"


def better_text(better: str) -> str:
    """Which figures are the better ones, to stand behind a title: " (lower is better)"; nothing where none are."""
    return f" ({better} is better)" if better else ""


def percent_text(share: float) -> str:
    """A share of 1 as percent: "12 %", "3 %", "0.11 %"."""
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 1 else f"{percent:.2g} %"


def clock_text(seconds: float) -> str:
    """A stretch of time: 0:09, 4:08, 1:02:30."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
