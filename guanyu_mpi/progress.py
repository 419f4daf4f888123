"""A live line about a run, read from what its observer has written."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from guanyu_mpi.journal import observer_log
from guanyu_mpi.metrics import Event, EventTail
from guanyu_mpi.processes import ToldToLeave
from guanyu_mpi.summary import describe
from guanyu_mpi.supervision import LEAVE_S


@contextmanager
def progress_bar(
    run_dir: Path, name: str, steps: int, told: ToldToLeave
) -> Iterator[Callable[[], None]]:
    """Show a bar; the function it yields looks for news, moves it, and says if the job leaves."""
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    tail = EventTail(observer_log(run_dir))
    with bar:
        task = bar.add_task(name, total=steps, state="starting", leaves=False)

        def look() -> None:
            for event in tail.read():
                _show(bar, task, event)
            if told.by and not bar.tasks[task].fields["leaves"]:
                bar.update(task, leaves=True)
                console.print(
                    f"{told.by.name}: saves and leaves: {LEAVE_S:g} s, or what disks take"
                )

        yield look
        look()


def _show(bar: Progress, task: TaskID, event: Event) -> None:
    step = event.get("step")
    if isinstance(step, int):
        bar.update(task, completed=step, state=describe(event))
