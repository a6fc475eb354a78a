"""A `readiness` on the PATH of scripts, which starts in no time what is imported already."""

import json
import socketserver
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.program import exactly

_CLIENT = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    server.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    server.shutdown(socket.SHUT_WR)
    code, out, err = json.loads(server.makefile("rb").read())
print(out, end="")
print(err, end="", file=sys.stderr)
sys.exit(code)
"""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        words, folder, environ = json.loads(self.rfile.read())
        done = exactly(words, Path(folder), environ)
        self.wfile.write(json.dumps([done.returncode, done.stdout, done.stderr]).encode())


@contextmanager
def launched() -> Iterator[Path]:
    """Yield a folder with the program `readiness`; it runs as its caller would, but quicker."""
    with tempfile.TemporaryDirectory() as folder:  # whose name is short, as a socket's must be
        address = str(Path(folder) / "socket")
        program = Path(folder) / "bin" / "readiness"
        program.parent.mkdir()
        program.write_text(_CLIENT.format(python=sys.executable, address=address), "utf-8")
        program.chmod(0o755)
        with _Server(address, _Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield program.parent
            finally:
                server.shutdown()
                thread.join()
