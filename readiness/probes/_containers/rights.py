"""Rights that amount to those of the host: capabilities, paths, users."""

import re

DANGEROUS = frozenset(
    {
        *("ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "SYS_BOOT", "SYS_TIME"),
        *("DAC_READ_SEARCH", "MAC_ADMIN", "MAC_OVERRIDE", "BPF", "PERFMON", "NET_ADMIN", "SYSLOG"),
    }
)
"""Capabilities beyond the default ones with which a container can take over or blind its host."""

_SOCKET = re.compile(
    r"/(?:docker|podman|containerd|crio|cri-dockerd)(?:/(?:docker|podman|containerd|crio))?\.sock"
)
_SYSTEM = frozenset(
    {
        *("/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run"),
        *("/sbin", "/sys", "/usr", "/var", "/var/run", "/var/lib", "/var/lib/docker"),
        *("/var/lib/kubelet", "/etc/kubernetes", "/home"),
    }
)


def host_socket(path: str) -> bool:
    """Whether `path` is the socket of a container engine."""
    return bool(_SOCKET.search(path))


def host_wide(path: str) -> bool:
    """Whether `path` is a folder of the host's own system."""
    return path in _SYSTEM


def is_root(user: str) -> bool:
    """Whether `user`, maybe with a group, is root."""
    return user.partition(":")[0].strip() in ("root", "0")
