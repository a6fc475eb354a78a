"""Flaws of what strangers find: files, operations, documentation, traces."""

from tests.mutants.call import Call, Reply, told
from tests.mutants.flaw import flaw
from tests.mutants.service import Service

TRACE = """Traceback (most recent call last):
  File "/srv/shop/main.py", line 17, in handle
KeyError: 'nowhere'
"""


class Leaky(Service):
    """Serves one path that it should not."""

    path = ""
    shown: str | bytes = ""
    media_type = "text/plain; charset=utf-8"

    def unknown(self, call: Call) -> Reply:
        if call.path != self.path or call.method not in ("GET", "HEAD"):
            return super().unknown(call)
        body = self.shown.encode() if isinstance(self.shown, str) else self.shown
        return Reply(200, body, self.media_type)


@flaw("secrets-exposed")
class ServesDotEnv(Leaky):
    """The file `.env` is served."""

    path, shown = "/.env", "SHOP_DEBUG=1\nSHOP_DATABASE=postgres://shop@db/shop\n"


@flaw("secrets-exposed")
class ServesGit(Leaky):
    """The Git repository is served."""

    path, shown = "/.git/HEAD", "ref: refs/heads/main\n"


@flaw("secrets-exposed")
class ServesMemory(Leaky):
    """The heap dump of a Java service is served."""

    path, shown, media_type = "/actuator/heapdump", b"JAVA PROFILE", "application/octet-stream"


@flaw("operations-exposed")
class ServesMetrics(Leaky):
    """Metrics are served to strangers."""

    path, shown = "/metrics", "# HELP orders Orders\n# TYPE orders counter\norders 17\n"


@flaw("operations-exposed")
class ServesProfiles(Leaky):
    """The profiles of a Go service are served to strangers."""

    path, media_type = "/debug/pprof/", "text/html; charset=utf-8"
    shown = "<html><title>/debug/pprof/</title>Types of profile available: goroutine</html>"


@flaw("docs-exposed")
class ServesDocs(Leaky):
    """The interface's documentation is served to strangers."""

    path, media_type = "/docs", "text/html; charset=utf-8"
    shown = "<!doctype html><title>Shop</title><div id=swagger-ui></div>"


@flaw("error-pages-quiet")
class TraceInNotFound(Service):
    """The page for what is not there shows a stack trace."""

    def unknown(self, call: Call) -> Reply:
        known = super().unknown(call)
        if known.status != 404:
            return known
        return Reply(404, TRACE.encode(), "text/plain; charset=utf-8")


@flaw("error-pages-quiet")
class TraceInErrors(Service):
    """A query that is not understood is answered 500 with a stack trace."""

    def health(self, call: Call) -> Reply:
        if "?" in call.request.target:
            return told({"error": TRACE}, 500)
        return super().health(call)


@flaw("trace-refused")
class AnswersTrace(Service):
    """TRACE is answered with the request's headers."""

    def reply(self, call: Call) -> Reply:
        if call.method != "TRACE":
            return super().reply(call)
        sent = [f"{name}: {value}" for name, value in call.request.headers.items()]
        head = "\r\n".join([f"TRACE {call.path} HTTP/1.1", *sent])
        return Reply(200, head.encode(), "message/http")
