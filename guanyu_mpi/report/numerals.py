"""Numbers as people read them."""

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
UNKNOWN = "–"
# Where a number is written out, and not as a power of ten.
PLAIN_MIN, PLAIN_MAX = 1e-3, 1e6


def number(value: float | None, digits: int = 3) -> str:
    """A number of so many significant digits.

    >>> number(0.93412), number(1234567.0), number(12834.0), number(2.5e-5), number(None)
    ('0.934', '1.23 × 10⁶', '12,834', '2.50 × 10⁻⁵', '–')
    """
    if value is None or math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if not PLAIN_MIN <= abs(value) < PLAIN_MAX:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        return f"{mantissa} × {power_of_ten(int(exponent))}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}".replace("-", "−")


def power_of_ten(exponent: int) -> str:
    """A power of ten: 10⁻³; 0.1, 1 and 10 are plainer as they are.

    >>> power_of_ten(-3), power_of_ten(0)
    ('10⁻³', '1')
    """
    if -1 <= exponent <= 1:
        return f"{10.0**exponent:g}"
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def whole(value: int | None) -> str:
    """A count.

    >>> whole(12834)
    '12,834'
    """
    return UNKNOWN if value is None else f"{value:,}"


def percent(share: float | None) -> str:
    """A share of a whole.

    >>> percent(0.814), percent(None)
    ('81 %', '–')
    """
    return UNKNOWN if share is None or not math.isfinite(share) else f"{100 * share:.0f} %"


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units.

    >>> duration(3.24), duration(250), duration(7500)
    ('3.2 s', '4 min 10 s', '2 h 5 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
