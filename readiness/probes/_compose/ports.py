"""What a service publishes on the host, in the short and the long syntax."""

import re
from collections.abc import Callable
from typing import NamedTuple

from readiness.document.tree import Node
from readiness.probes._compose.stack import Container
from readiness.probes._containers.template import HOLE, filled
from readiness.probes._containers.verdict import GOOD, Verdict, bad, beside, unknown

PUBLIC = (80, 443)
DATA = {
    **{1433: "SQL Server", 1521: "Oracle", 2181: "ZooKeeper", 2375: "Docker", 2376: "Docker"},
    **{2379: "etcd", 3306: "MySQL", 5432: "Postgres", 5672: "AMQP", 5984: "CouchDB"},
    **{6379: "Redis", 7000: "Cassandra", 7687: "Neo4j", 8086: "InfluxDB", 8123: "ClickHouse"},
    **{8529: "ArangoDB", 9042: "Cassandra", 9092: "Kafka", 9200: "Elasticsearch"},
    **{9300: "Elasticsearch", 11211: "memcached", 26257: "CockroachDB", 27017: "MongoDB"},
}
"""Ports of data stores and brokers, which only their clients need to reach."""


_LONGEST = 200


class Port(NamedTuple):
    """One publication; -1 stands for a number that only the environment knows, 0 for any."""

    at: Node
    address: str
    published: int
    last: int
    target: int
    protocol: str

    @property
    def everywhere(self) -> bool:
        """Whether it is bound to all interfaces of the host."""
        return self.address in ("", "0.0.0.0", "::", "[::]")

    @property
    def shown(self) -> str:
        """The port for people."""
        if self.published == 0:
            return f"{self.target} (on a random port)"
        number = self.published if self.published > 0 else self.target
        return f"{number if number > 0 else 'a port'}"


_SHORT = re.compile(
    rf"(?:(?P<address>\[[^\]]*\]|[\w.{HOLE}:]*?):)??"
    rf"(?:(?P<published>[\d{HOLE}-]*):)?(?P<target>[\d{HOLE}-]+)(?:/(?P<protocol>[a-z{HOLE}]+))?"
)


def ports(container: Container) -> list[Port]:
    """Return what is published; what cannot be read is taken for a hole."""
    if container.text("network_mode") in ("host", "none"):
        return []
    return [
        _long(node) if isinstance(node.value, dict) else _short(node)
        for node in container.items("ports")
    ]


def _short(node: Node) -> Port:
    text = filled(node.text)
    match = _SHORT.fullmatch(text[:_LONGEST])
    if not match or text == HOLE:
        return Port(node, HOLE, -1, -1, -1, "tcp")
    published, last = _range(match["published"] or "0")
    target, _ = _range(match["target"])
    return Port(node, match["address"] or "", published, last, target, match["protocol"] or "tcp")


def _long(node: Node) -> Port:
    def told(key: str) -> str:
        found = node.at(key)
        return filled(found.text) if found else ""

    published, last = _range(told("published") or "0")
    target, _ = _range(told("target") or HOLE)
    return Port(node, told("host_ip"), published, last, target, told("protocol") or "tcp")


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        return -1, -1
    return int(first), int(last or first)


def bound(public: tuple[int, ...]) -> Callable[[Container], Verdict]:
    """Return the rule: what is published for all the world is meant for it.

    Ports 80 and 443 are there to be reached, and those of `public`.
    """

    def rule(container: Container) -> Verdict:
        return _judged(container, lambda port: not _data(port) and not _meant(port, public))

    return rule


def data_private(public: tuple[int, ...]) -> Callable[[Container], Verdict]:
    """Return the rule: no data store's port is published for all the world."""

    def rule(container: Container) -> Verdict:
        return _judged(container, lambda port: bool(_data(port)) and port.published not in public)

    return rule


def _judged(container: Container, wrong: Callable[[Port], bool]) -> Verdict:
    found = ports(container)
    for port in found:
        if port.everywhere and wrong(port):
            what = f" ({_data(port)})" if _data(port) else ""
            text = f"port {port.shown}{what} is published on all interfaces"
            return bad(port.at, container.name, text)
    for port in found:
        if HOLE in port.address:
            return unknown(port.at, container.name, "a variable decides where it is published")
    return GOOD if found else beside(f"{container.name} publishes no port")


def _data(port: Port) -> str:
    return DATA.get(port.target, "")


def _meant(port: Port, public: tuple[int, ...]) -> bool:
    known = (*PUBLIC, *public)
    if port.published > 0:
        return all(one in known for one in range(port.published, min(port.last, 65_535) + 1))
    return port.published < 0 and port.target in known
