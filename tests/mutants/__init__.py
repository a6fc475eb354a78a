PROVEN = frozenset(
    {
        *("access_matrix", "brute_force", "http_access", "http_cors", "http_exposure"),
        *("http_headers", "journey", "jwt", "oidc_discovery", "session", "tls", "web_page"),
    }
)
"""The probes of which every check must be proven by a flaw."""
WITHOUT_SUBJECT = frozenset({"header-sri", "tls-ocsp", "tls-must-staple"})
"""Checks of what the clean service has not: foreign scripts, stapled responses."""
