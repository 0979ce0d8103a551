"""Tests that are coroutines run in an event loop of their own, and must leave no task and no unreported exception."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

import pytest

# The seconds after which a test is stuck.
DEADLINE = 600


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    asyncio.run(watched(pyfuncitem.obj(**arguments)))
    return True


async def watched(test: Coroutine[Any, Any, None]) -> None:
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: reported.append(context))
    # `wait_for` of Python 3.10 runs the test in a task of its own.
    await asyncio.wait_for(test, DEADLINE)
    for _ in range(3):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left
    assert not reported
