"""How numbers and times are written wherever a person reads them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from mnist_dash.text import plural

LEAK = "This run validates on the test set (a leak). Whatever is chosen by these metrics is chosen on the test set."
NOTHING = "–"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def percent(fraction: float | None, digits: int = 2) -> str:
    """Write a fraction as a percentage: ``97.85 %``."""
    return NOTHING if fraction is None else f"{100 * fraction:.{digits}f} %"


def percent_range(low: float, high: float) -> str:
    """Write an interval of fractions: ``97.51 to 98.12 %``."""
    return f"{100 * low:.2f} to {percent(high)}"


def points(difference: float | None) -> str:
    """Write a difference of two fractions in percentage points, with its sign: ``+0.31 points``."""
    return NOTHING if difference is None else f"{100 * difference:+.2f} points"


def number(value: float | None) -> str:
    """Write a number as pages do, with three significant digits: ``0.00043``, ``2.3``, ``1e-7``, ``12,345``."""
    if value is None:
        return NOTHING
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return _without_zeros_in_exponent(f"{value:.3g}")


def exact(value: float | None) -> str:
    """Write a number with all its digits, as tooltips and exports do: ``0.0004297681``; what float32 cannot hold is left out."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else _without_zeros_in_exponent(f"{value:.10g}")


def duration(seconds: float | None) -> str:
    """Write a time span: ``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"


def size(n_bytes: float) -> str:
    """Write a number of bytes: ``512 B``, ``3.4 MB``."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def moment(time: datetime | float) -> str:
    """Write a time in UTC and say so: ``2026-03-01 17:41 UTC``; a number is seconds since 1970."""
    known = (
        datetime.fromtimestamp(time, UTC) if isinstance(time, int | float) else time.astimezone(UTC)
    )
    return f"{known:%Y-%m-%d %H:%M} UTC"


def ago(time: datetime, *, now: datetime | None = None) -> str:
    """Say how long ago something was: ``just now``, ``5 min ago``, ``3 days ago``."""
    seconds = ((now or datetime.now(UTC)) - time).total_seconds()
    if seconds < 10:
        return "just now"
    if seconds < _MINUTE:
        return f"{seconds:.0f} s ago"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f} min ago"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f} h ago"
    return f"{plural(int(seconds // _DAY), 'day')} ago"


def plain(text: str) -> str:
    """Write what a person typed so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+\-!|:$~])", r"\\\1", text)


def _without_zeros_in_exponent(text: str) -> str:
    return text.replace("e-0", "e-").replace("e+0", "e+")
