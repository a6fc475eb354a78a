"""Assessment -> report.html: the whole report as one page that needs no other file."""

from readiness.report.html.document import render

FILE = "report.html"

__all__ = ["FILE", "render"]
