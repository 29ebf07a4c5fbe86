"""Items of every task, drawn once."""

from __future__ import annotations

import pytest
from task_samples import TASKS, drawn_items

from mmload.model import Item
from mmload.tasks import Task


@pytest.fixture(scope="session", params=sorted(TASKS))
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


_CACHE: dict[tuple[str, bool], list[Item]] = {}


@pytest.fixture(scope="session")
def items(task: Task) -> list[Item]:
    """Answerable ones."""
    return _CACHE.setdefault((task.name, True), drawn_items(task, 15))


@pytest.fixture(scope="session")
def blind_items(task: Task) -> list[Item]:
    """Unanswerable ones."""
    return _CACHE.setdefault((task.name, False), drawn_items(task, 15, answerable=False))
