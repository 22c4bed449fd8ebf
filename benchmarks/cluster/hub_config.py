"""JupyterHub's configuration for `benchmarks.cluster.jupyterhub`: its defaults, but for what a
comment gives a reason for. Executed by JupyterHub, with what differs from run to run in BENCHMARK.
"""

import json
import os

given = json.loads(os.environ["BENCHMARK"])
c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub's

c.JupyterHub.bind_url = given["url"]
c.JupyterHub.hub_port = given["hub_port"]
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.ConfigurableHTTPProxy.command = given["proxy"]
c.ConfigurableHTTPProxy.api_url = given["proxy_url"]

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "benchmark", "api_token": given["token"]}]
c.JupyterHub.load_roles = [
    {
        "name": "benchmark",
        "services": ["benchmark"],
        "scopes": ["admin:users", "admin:servers", "list:users"],
    }
]

# 100 by default: more starts at a time are answered with 429.
c.JupyterHub.concurrent_spawn_limit = 0
if not given["held"]:
    # As Zero to JupyterHub sets it: a POST is answered at once rather than held until the server
    # is up (for at most 10 s), so that there is no more than one request's work between two starts.
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0}
# The namespace is removed as a whole.
c.JupyterHub.cleanup_servers = False

c.JupyterHub.spawner_class = "kubespawner.KubeSpawner"
c.KubeSpawner.namespace = given["namespace"]
c.KubeSpawner.node_selector = given["labels"]
c.KubeSpawner.tolerations = [given["toleration"]]
c.KubeSpawner.cpu_limit = 0.1
c.KubeSpawner.mem_limit = "256M"
# As Zero to JupyterHub sets them. The defaults (60 s, 30 s) end starts that wait for others.
c.KubeSpawner.start_timeout = 300
c.KubeSpawner.http_timeout = 120
# 3 s and 30 s by default: too short where the hub is busy with hundreds of starts.
c.KubeSpawner.k8s_api_request_timeout = 60
c.KubeSpawner.k8s_api_request_retry_timeout = 300
if given["homes"]:
    # As Zero to JupyterHub does unless told otherwise.
    c.KubeSpawner.storage_pvc_ensure = True
    c.KubeSpawner.storage_capacity = "1Gi"
    c.KubeSpawner.storage_access_modes = ["ReadWriteOnce"]
    c.KubeSpawner.volumes = [{"name": "home", "persistentVolumeClaim": {"claimName": "{pvc_name}"}}]
    c.KubeSpawner.volume_mounts = [{"name": "home", "mountPath": "/home/jovyan"}]
