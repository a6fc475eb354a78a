"""Several coroutines -> one: they run at once, and the first that fails ends them all."""

import asyncio
from collections.abc import Coroutine, Iterable


async def together(coroutines: Iterable[Coroutine[object, object, None]]) -> None:
    """Run `coroutines` to their end; raises the first error of one of them, not a group."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for coroutine in coroutines:
                tasks.create_task(coroutine)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
