"""JupyterHub for a trial on this machine: one password for all, servers as plain processes."""

from pathlib import Path

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:8081"
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = "local-trial-only"
c.SharedPasswordAuthenticator.admin_password = "local-trial-only-for-the-administrator"
c.Authenticator.admin_users = {"root"}
c.Authenticator.allow_all = True
c.JupyterHub.allow_named_servers = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = str(Path("homes/{username}").resolve())
