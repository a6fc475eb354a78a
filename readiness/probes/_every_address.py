"""The addresses of a service -> whether each of them accepts a connection."""

import asyncio
import errno
import socket
from collections.abc import Sequence

from readiness.failure import Failure, ProbeError, classify
from readiness.measurement import Values
from readiness.probes import Address, Context
from readiness.probes._connection import dial, within
from readiness.probes._few import few

_MOST = 16
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH)


async def accepting(found: Sequence[str], port: int, context: Context) -> Values:
    """Connect to each of the first sixteen once; what this machine has no way to is not counted."""
    tried = found[:_MOST]
    outcomes = await asyncio.gather(*(_connects(host, port, context) for host in tried))
    told = dict(zip(tried, outcomes, strict=True))
    closed = [f"{host}: {why.detail}" for host, why in told.items() if isinstance(why, Failure)]
    reached = [host for host, outcome in told.items() if outcome is True]
    values: Values = {"dialled": True}
    if closed:
        return values | {"accepting": False, "accepting_because": few(closed)}
    if len(found) > _MOST:
        because = f"not tested: there are {len(found)} addresses, of which {_MOST} were tried"
        return values | {"accepting_because": because}
    if not reached:
        because = "not tested: this machine has no address of the family that they are of"
        return values | {"accepting_because": because}
    return values | {"accepting": True}


async def _connects(host: str, port: int, context: Context) -> Failure | bool:
    """Return true if it accepts, why not, or false where this machine cannot tell."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address: Address = (family, host, port)
    try:
        with within(context) as watch:
            watch.begin("connect")
            (await dial([address])).close()
    except (OSError, ProbeError) as error:
        if isinstance(error, OSError) and error.errno in _NO_SUCH_FAMILY and ":" in host:
            return False
        failure = classify(error)
        if not failure.blames_target:
            raise
        return failure
    return True
