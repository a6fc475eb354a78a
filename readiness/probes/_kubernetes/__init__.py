"""Kubernetes manifests: read as rendered, and what is asked of them."""
