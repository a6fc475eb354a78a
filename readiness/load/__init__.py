"""The load engine: one request at one address -> samples of how it is answered, and how soon.

`request` is what is sent where, `closed` and `open` are the two ways to send it, `result` is what
comes back. It knows no probe and no check.
"""
