"""The hub of the local science platform: a real JupyterHub, set up as Nublado sets up the RSP's.

Everything that differs from one start to the next comes by environment (services/hub.ts).
"""

import logging
import os
import re
import secrets
import sys
from functools import partial
from pathlib import Path

import jupyterhub.utils
from jupyterhub.auth import Authenticator
from jupyterhub.handlers import BaseHandler
from jupyterhub.spawner import SimpleLocalProcessSpawner
from jupyterhub.utils import url_path_join
from tornado.web import HTTPError

sys.path.insert(0, str(Path(__file__).parent))
from lab_options import lab_environment, options_form, parse_options  # noqa: E402
from parent_death import die_with_parent, spawner_preexec  # noqa: E402

c = get_config()  # noqa: F821
env = os.environ.__getitem__

# A hub without its platform is a leftover: go with it, cleanly.
die_with_parent()

USER_HEADER = "X-Auth-Request-User"
TOKEN_HEADER = "X-Auth-Request-Token"


def auth_model(request):
    """Who the ingress says is calling, with the delegated token."""
    username = request.headers.get(USER_HEADER)
    token = request.headers.get(TOKEN_HEADER)
    if not username or not token:
        raise HTTPError(401, "No authentication from the ingress")
    return {"name": username, "auth_state": {"username": username, "token": token}}


class IngressLoginHandler(BaseHandler):
    async def get(self):
        user = await self.auth_to_user(auth_model(self.request))
        self.set_login_cookie(user)
        self.redirect(self.get_next_url(user))


class IngressAuthenticator(Authenticator):
    """Trusts the ingress's headers, by the same steps as Nublado's GafaelfawrAuthenticator."""

    auto_login = True
    enable_auth_state = True
    refresh_pre_spawn = True
    refresh_pre_stop = True
    allow_all = True

    async def authenticate(self, handler, data):
        raise NotImplementedError

    def get_handlers(self, app):
        return [("/gafaelfawr/login", IngressLoginHandler)]

    def login_url(self, base_url):
        return url_path_join(base_url, "gafaelfawr/login")

    async def refresh_user(self, user, handler=None):
        if handler is None or not handler.request.headers.get(TOKEN_HEADER):
            return True
        model = auth_model(handler.request)
        if model["name"] != user.name:
            raise HTTPError(401, "Username does not match expected identity")
        state = await user.get_auth_state() or {}
        return True if state.get("token") == model["auth_state"]["token"] else model


class LabSpawner(SimpleLocalProcessSpawner):
    """Labs as local processes, which end when the hub does, however it ends."""

    def make_preexec_fn(self, name):
        return spawner_preexec(super().make_preexec_fn(name))

    async def start(self):
        if not self.user_options:
            raise ValueError("no spawn options")
        return await super().start()

    def get_env(self):
        return {**super().get_env(), **lab_environment(self.user_options, env("PLATFORM_ORIGIN"))}


def pass_token(spawner, auth_state):
    if auth_state:
        spawner.environment = {**spawner.environment, "ACCESS_TOKEN": auth_state["token"]}


class HideTokens(logging.Filter):
    """The hub prints a failed request's headers, tokens of the ingress included."""

    def filter(self, record):
        message = record.getMessage()
        if "gt-" in message:
            record.msg, record.args = TOKEN.sub("[token]", message), None
        return True


TOKEN = re.compile(r"gt-[\w-]{22}\.[\w-]{22}")
c.Application.logging_config = {
    "filters": {"hide_tokens": {"()": HideTokens}},
    "handlers": {"console": {"filters": ["hide_tokens"]}},
}

# The hub looks less and less often whether a lab is up: half a second of each spawn would be spent asleep.
jupyterhub.utils.exponential_backoff = partial(jupyterhub.utils.exponential_backoff, scale_factor=1, max_wait=0.2)

c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret = secrets.token_bytes(32)
c.CryptKeeper.keys = [secrets.token_bytes(32)]
c.JupyterHub.cleanup_servers = True
c.JupyterHub.bind_url = env("PLATFORM_PROXY_URL")
c.JupyterHub.hub_bind_url = env("PLATFORM_HUB_URL")
c.ConfigurableHTTPProxy.api_url = env("PLATFORM_PROXY_API_URL")
c.ConfigurableHTTPProxy.command = [env("PLATFORM_NODE"), env("PLATFORM_CHP")]
c.ConfigurableHTTPProxy.pid_file = str(Path(env("PLATFORM_HUB_DIR")) / "proxy.pid")
c.ConfigurableHTTPProxy.auth_token = secrets.token_hex(32)
c.JupyterHub.authenticator_class = IngressAuthenticator
c.JupyterHub.spawner_class = LabSpawner
# As on the RSP: the answer to the spawn form is the waiting page, not the lab some seconds later.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
c.JupyterHub.services = [{"name": "platform", "api_token": env("PLATFORM_HUB_TOKEN")}]
c.JupyterHub.load_roles = [
    {
        "name": "platform",
        "services": ["platform"],
        "scopes": ["list:users", "read:users", "read:servers", "delete:servers", "read:hub"],
    }
]

c.Spawner.ip = "127.0.0.1"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.default_url = "/lab"
# Not the caller's PATH: labs are like containers, and JupyterLab would ask a node it finds for yarn's settings.
c.Spawner.environment = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}
c.Spawner.env_keep = ["LANG", "LC_ALL", "TZ", "NOTEBURST_PLATFORM_RUN"]
c.Spawner.args = [
    # What a headless lab has no use for costs a good part of its start.
    "--ServerApp.terminals_enabled=False",
    # Containers often have no other user; the labs listen on loopback only.
    "--ServerApp.allow_root=True",
    "--LabApp.extension_manager=readonly",
    "--ServerApp.jpserver_extensions={'jupyter_lsp': False, 'jupyter_server_terminals': False, 'notebook_shim': False}",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]
c.Spawner.options_form = options_form
c.Spawner.options_from_form = parse_options
c.Spawner.auth_state_hook = pass_token
c.SimpleLocalProcessSpawner.home_dir_template = str(Path(env("PLATFORM_HOMES")) / "{username}")
c.Spawner.start_timeout = 60
c.Spawner.http_timeout = 60
c.LocalProcessSpawner.interrupt_timeout = 3
c.LocalProcessSpawner.term_timeout = 2
c.LocalProcessSpawner.kill_timeout = 2
