"""A chart of lines as SVG; each line is told apart by colour, dashes and the mark at its end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guanyu_mpi.report.axes import Axis
from guanyu_mpi.report.labels import CHARACTER, shortened, spread
from guanyu_mpi.report.markup import Markup, element, text
from guanyu_mpi.report.numerals import number
from guanyu_mpi.report.series import Point, Series

WIDTH, HEIGHT = 400.0, 250.0
LEFT, TOP, RIGHT, BOTTOM = 52.0, 26.0, 14.0, 38.0
LABEL_GAP = 13.0
# The page's style has so many kinds of lines; then they begin again.
KINDS = 8
MARKS = (
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",  # circle
    "M-3 -3h6v6h-6z",  # square
    "M0 -4l4 7h-8z",  # triangle
    "M0 -4.5l4.5 4.5l-4.5 4.5l-4.5 -4.5z",  # diamond
    "M0 4l4 -7h-8z",  # triangle, point down
    "M-3.5 -1h2.5v-2.5h2v2.5h2.5v2h-2.5v2.5h-2v-2.5h-2.5z",  # plus
    "M-4 -2h8v4h-8z",  # bar
    "M0 -4.5l1.3 3.2h3.2l-2.6 2l1 3.3l-2.9 -2l-2.9 2l1 -3.3l-2.6 -2h3.2z",  # star
)


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows; labels have their unit, `threshold` is a level and what it means.

    `restarts` are places where a run was continued.
    """

    title: str
    against: str
    x_label: str
    y_label: str
    x_axis: Axis
    y_axis: Axis
    lines: tuple[Series, ...]
    threshold: tuple[float, str] | None = None
    restarts: tuple[float, ...] = ()


def figure(chart: Chart, title: str = "") -> Markup:
    """The chart with its own title or another."""
    against = f" {chart.title.lower()}" if title else ""
    against += f" against {chart.against}"
    caption = element("figcaption", element("b", text(title or chart.title)), text(against))
    return element("figure", caption, svg(chart))


def svg(chart: Chart) -> Markup:
    """The chart alone."""
    plot = _Plot(chart)
    names = ", ".join(line.name for line in chart.lines if line.name and not line.faint)
    return element(
        "svg",
        *plot.frame(),
        *plot.marks(),
        *(plot.line(line, kind) for kind, line in enumerate(chart.lines) if line.faint),
        *(plot.line(line, kind) for kind, line in enumerate(chart.lines) if not line.faint),
        *plot.labels(),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"{chart.title} against {chart.x_label}" + (f": {names}" if names else ""),
    )


class _Plot:
    """Where things are in a chart, and how they are drawn there."""

    def __init__(self, chart: Chart) -> None:
        self.chart = chart
        self.named = [
            (kind, line)
            for kind, line in enumerate(chart.lines)
            if line.name and line.points and not line.faint
        ]
        longest = max((len(shortened(line.name)) for _, line in self.named), default=0)
        self.right = WIDTH - RIGHT - (longest * CHARACTER + 12 if longest else 0.0)
        self.bottom = HEIGHT - BOTTOM

    def frame(self) -> Iterator[Markup]:
        """Grid, axes, and what is written beside them."""
        yield element("text", text(self.chart.y_label), x=4.0, y=12.0, class_="axis-name")
        for place, wording in self.chart.y_axis.ticks():
            y = self._y_at(place)
            yield element("line", x1=LEFT, x2=self.right, y1=y, y2=y, class_="grid")
            yield element("text", text(wording), x=LEFT - 6, y=y + 4, class_="tick y")
        ticks = self.chart.x_axis.ticks()
        for place, wording in ticks[:: _every(ticks, self.right - LEFT)]:
            x = self._x_at(place)
            yield element("line", x1=x, x2=x, y1=self.bottom, y2=self.bottom + 4, class_="axis")
            yield element("text", text(wording), x=x, y=self.bottom + 16, class_="tick x")
        yield element(
            "line", x1=LEFT, x2=self.right, y1=self.bottom, y2=self.bottom, class_="axis"
        )
        yield element(
            "text", text(self.chart.x_label), x=self.right, y=HEIGHT - 4, class_="axis-name end"
        )

    def marks(self) -> Iterator[Markup]:
        """The threshold, and where the run was continued."""
        y = self._threshold_y()
        if y is not None:
            yield element("line", x1=LEFT, x2=self.right, y1=y, y2=y, class_="threshold")
        for restart in self.chart.restarts:
            x = self._x_at(self.chart.x_axis.place(restart) or 0.0)
            title = element("title", text(f"continued at {number(restart)}"))
            yield element("line", title, x1=x, x2=x, y1=TOP, y2=self.bottom, class_="restart")

    def line(self, line: Series, kind: int) -> Markup:
        """A line, what its runs span, and the mark at its end."""
        style = "faint" if line.faint else f"kind-{kind % KINDS}"
        placed = [place for point in line.points if (place := self._place(point))]
        if not placed:
            return Markup("")
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed)
        last = line.points[-1]
        title = element("title", text(_told(line.name, last, self.chart)))
        stroke = element("path", d=path, class_="line")
        return element("g", title, self._band(line), stroke, _mark(kind, placed[-1]), class_=style)

    def labels(self) -> Iterator[Markup]:
        """What the threshold means, and names at the ends of lines where there are several."""
        y = self._threshold_y()
        if self.chart.threshold and y is not None:
            # Above its line, unless the chart ends there.
            beside = y - 4 if y > TOP + 8 else y + 13
            meaning = text(self.chart.threshold[1])
            yield element("text", meaning, x=self.right, y=beside, class_="note end")
        ends = [(kind, line, end) for kind, line in self.named if (end := self._end(line))]
        places = spread([y for *_, (_, y) in ends], LABEL_GAP, TOP, self.bottom)
        for (kind, line, (x, y)), place in zip(ends, places, strict=True):
            start = self.right + 13
            points = f"{x + 5:.1f},{y:.1f} {start - 5:.1f},{place:.1f}"
            leader = element("polyline", points=points, class_="leader")
            title = element("title", text(line.name))
            name = text(shortened(line.name))
            yield element(
                "g",
                leader if abs(place - y) > 2 or self.right - x > 2 else None,
                _mark(kind, (start, place)),
                element("text", title, name, x=start + 8, y=place + 4, class_="label"),
                class_=f"kind-{kind % KINDS}",
            )

    def _threshold_y(self) -> float | None:
        if self.chart.threshold is None:
            return None
        place = self.chart.y_axis.place(self.chart.threshold[0])
        return self._y_at(place) if place is not None and 0 <= place <= 1 else None

    def _end(self, line: Series) -> Point | None:
        placed = [place for point in line.points[-1:] if (place := self._place(point))]
        return placed[0] if placed else None

    def _band(self, line: Series) -> Markup | None:
        upper = [place for x, _, high in line.band if (place := self._place((x, high)))]
        lower = [place for x, low, _ in line.band if (place := self._place((x, low)))]
        if len(upper) < 2 or len(lower) < 2:
            return None
        around = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
        return element("polygon", points=around, class_="band")

    def _place(self, point: Point) -> Point | None:
        across, up = self.chart.x_axis.place(point[0]), self.chart.y_axis.place(point[1])
        if across is None or up is None:
            return None
        return self._x_at(across), self._y_at(min(max(up, -0.02), 1.02))

    def _x_at(self, place: float) -> float:
        return LEFT + place * (self.right - LEFT)

    def _y_at(self, place: float) -> float:
        return self.bottom - place * (self.bottom - TOP)


def _mark(kind: int, at: Point) -> Markup:
    move = f"translate({at[0]:.1f} {at[1]:.1f})"
    return element("path", d=MARKS[kind % KINDS], transform=move, class_="mark")


def _every(ticks: Sequence[tuple[float, str]], width: float) -> int:
    """Which ticks to name so that no name touches the next."""
    longest = max((len(wording) for _, wording in ticks), default=1)
    room = width / max(1, len(ticks) - 1)
    return max(1, -int(-(longest * CHARACTER + 8) // room))


def _told(name: str, last: Point, chart: Chart) -> str:
    ends = f"{number(last[1])} at {last[0]:,.6g} {chart.against}".rstrip()
    return f"{name}: {ends}" if name else ends
