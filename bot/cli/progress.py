"""How far a long command has come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from locales import _

if TYPE_CHECKING:
    from storage.moving import Tell


@contextmanager
def progress() -> Iterator[Tell]:
    """A bar on stderr, where that is a terminal. What is told is a name under ``cli.progress.``, done and total."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(_(f"cli.progress.{what}"))
            bar.update(tasks[what], completed=done, total=max(total, 1))

        yield tell
