"""The tasks of the Studio. A new task is a line here; the page shows them in this order."""

from __future__ import annotations

from collections.abc import Mapping

from ...settings import Settings
from ..engine_pool import EnginePool
from ..live.channels import Channels
from .file_tasks import file_tasks
from .moment_task import moment_task
from .music_tasks import music_tasks
from .repaint_task import repaint_task
from .riffusion_tasks import riffusion_tasks
from .task import Task


def tasks_of(settings: Settings, engines: EnginePool, channels: Channels | None = None) -> Mapping[str, Task]:
    """All tasks by name; without ``channels``, those that need no station."""
    made = [
        *music_tasks(settings, engines),
        *riffusion_tasks(engines),
        repaint_task(settings, engines),
        *file_tasks(),
    ]
    if channels is not None:
        made.append(moment_task(settings, channels))
    return {task.name: task for task in made}
