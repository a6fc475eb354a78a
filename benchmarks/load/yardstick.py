"""server.c, compiled into a temporary folder -> a running server whose delays are known."""

import functools
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.load import cores

SOURCE = Path(__file__).with_name("server.c")


class Absent(Exception):
    """What this benchmark needs and this machine lacks."""


@functools.cache
def scratch() -> Path:
    """Return a folder that lives as long as this process."""
    folder = tempfile.TemporaryDirectory(prefix="yardstick-")
    _kept.append(folder)
    return Path(folder.name)


_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def _program(tls: bool) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        raise Absent("no C compiler (cc): the yardstick servers cannot be built")
    target = scratch() / ("server-tls" if tls else "server")
    extra = ["-DWITH_TLS", "-lssl", "-lcrypto"] if tls else []
    command = [compiler, "-O2", "-o", str(target), str(SOURCE), *extra]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        needs = "OpenSSL's headers (libssl-dev)" if tls else "a working C compiler"
        raise Absent(f"server.c does not compile here: it needs {needs}")
    return str(target)


@functools.cache
def certificate() -> tuple[Path, Path]:
    """Return a self-signed certificate of 127.0.0.1 and its key."""
    if shutil.which("openssl") is None:
        raise Absent("no openssl program to make a certificate with")
    paths = scratch() / "certificate.pem", scratch() / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt"]
    command += ["ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True)
    return paths


@dataclass(frozen=True)
class Truth:
    """What the server did by its own stamps; ms from a request's arrival to its answer.

    `late_p99_ms` is how far behind its own plan it was: its error as a yardstick.
    """

    served: int
    attacks: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    late_p99_ms: float


class Yardstick:
    """A server in one of the modes of server.c, alone on the server's core, while entered."""

    def __init__(self, mode: str, *numbers: int, tls: bool = False) -> None:
        files = [str(path) for path in certificate()] if tls else []
        command = [_program(tls), mode, *(str(number) for number in numbers), *files]
        self._command = cores.on(cores.SERVER, command)
        self._scheme = "https" if tls else "http"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,  # or its priority would take its share from the client's
        )
        self.url = f"{self._scheme}://127.0.0.1:{int(self._say(''))}/"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def truth(self) -> Truth:
        """Return what it did since it was last asked, and start anew."""
        said = json.loads(self._say("s\n"))
        times = {f"{q}_ms": said["response_us"][q] / 1e3 for q in ("p50", "p95", "p99")}
        late = said["lateness_us"]["p99"] / 1e3
        return Truth(said["served"], said["attacks"], **times, late_p99_ms=late)

    def _say(self, text: str) -> str:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(text)
        return self._process.stdout.readline()
