"""The load testers to measure against: one file each, in the order of the tables."""

from benchmarks.load.peer import Peer
from benchmarks.load.peers import (
    ab,
    autocannon,
    h2load,
    hey,
    k6,
    libraries,
    locust,
    oha,
    vegeta,
    wrk,
)

ALL: tuple[Peer, ...] = (
    wrk.PEER,
    h2load.PEER,
    ab.PEER,
    oha.PEER,
    hey.PEER,
    vegeta.PEER,
    autocannon.PEER,
    k6.PEER,
    libraries.AIOHTTP,
    locust.PEER,
    libraries.HTTPX2_UVLOOP,
    libraries.HTTPX2,
)
