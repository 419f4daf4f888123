"""Places of the labels at the ends of lines: near their lines, and none on another."""

from collections.abc import Sequence

# Width of a character of the chart's text on average, in a wide font.
CHARACTER = 6.4
CHARACTERS_MAX = 19


def shortened(name: str, characters_max: int = CHARACTERS_MAX) -> str:
    """A name that has room beside a chart.

    >>> shortened("guanyu attacked by both", 12)
    'guanyu atta…'
    """
    return name if len(name) <= characters_max else name[: characters_max - 1] + "…"


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Places in [low, high] at least a gap apart, in the order of those wanted and near them.

    Where there is no room for all, the gap is what there is room for.

    >>> spread([50.0, 51.0, 10.0], gap=12.0, low=0.0, high=100.0)
    [44.5, 56.5, 10.0]
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(1, len(wanted) - 1))
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[list[int]] = []
    for index in order:
        blocks.append([index])
        while len(blocks) > 1 and _overlap(blocks[-2], blocks[-1], wanted, gap, (low, high)):
            last = blocks.pop()
            blocks[-1] += last
    places = [0.0] * len(wanted)
    for block in blocks:
        top = _top(block, wanted, gap, (low, high))
        for count, index in enumerate(block):
            places[index] = top + count * gap
    return places


def _overlap(
    upper: Sequence[int],
    lower: Sequence[int],
    wanted: Sequence[float],
    gap: float,
    room: tuple[float, float],
) -> bool:
    end = _top(upper, wanted, gap, room) + len(upper) * gap
    return _top(lower, wanted, gap, room) < end - 1e-9


def _top(
    block: Sequence[int], wanted: Sequence[float], gap: float, room: tuple[float, float]
) -> float:
    """Where a block of labels begins so that it is centred on what they want, within the room."""
    height = (len(block) - 1) * gap
    centre = sum(wanted[index] for index in block) / len(block)
    return min(max(centre - height / 2, room[0]), room[1] - height)
