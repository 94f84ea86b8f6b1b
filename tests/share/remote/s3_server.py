"""A real S3 server on loopback: OpenStack Swift with its S3 interface.

It checks signatures, so wrong credentials fail, as they do with a bucket elsewhere. Its packages
need other versions than ours, and are installed once, into an environment of their own.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dvc_s3 import S3FileSystem
from filelock import FileLock

REQUIREMENT = "swift==2.38.3"
INSTALLED = ".complete"
RINGS = ("account", "container", "object")
KEY, SECRET = "test:tester", "testing"
READER_KEY, READER_SECRET = "test:reader", "reading"
"""A user who may do nothing with the buckets of the other."""
SECONDS_TO_START = 120

SWIFT_CONF = """\
[swift-hash]
swift_hash_path_suffix = tests
"""
STORAGE_CONF = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
log_level = ERROR

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""
# The order matters: with another one, objects read back as 0 bytes.
PROXY_CONF = """\
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
log_level = ERROR

[pipeline:main]
pipeline = catch_errors gatekeeper proxy-logging listing_formats bulk tempurl s3api tempauth \
copy container_quotas slo dlo versioned_writes symlink proxy-logging proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:s3api]
use = egg:swift#s3api
location = us-east-1

[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_reader = reading
"""
LIMIT = """
import sys, urllib.request
from swift.common.utils import Timestamp, set_swift_dir
from swift.common.ring import Ring

folder, bucket, quota = sys.argv[1:]
set_swift_dir(folder)
part, (node,) = Ring(folder, ring_name="container").get_nodes("AUTH_test", bucket)
url = f"http://{node['ip']}:{node['port']}/{node['device']}/{part}/AUTH_test/{bucket}"
headers = {"X-Timestamp": Timestamp.now().internal, "X-Container-Meta-Quota-Bytes": quota}
urllib.request.urlopen(urllib.request.Request(url, method="POST", headers=headers)).close()
"""
"""An administrator's request: past the proxy, which would need a cache of tokens for it."""
FILTERS = (
    "catch_errors", "gatekeeper", "proxy_logging", "listing_formats", "bulk", "tempurl", "copy",
    "container_quotas", "slo", "dlo", "versioned_writes", "symlink",
)  # fmt: skip


class CannotInstallError(Exception):
    """The server's packages cannot be had here."""


def install(cache: Path) -> Path:
    """The folder of the environment that has the server; made in ``cache`` if it is not there.

    Raises CannotInstallError, with what was said.
    """
    environment = cache / REQUIREMENT.replace("==", "-")
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / ".lock"):  # tests run in several processes
        if (environment / INSTALLED).exists() and _runs(environment):
            return environment
        shutil.rmtree(environment, ignore_errors=True)
        python = environment / "bin" / "python"
        if uv := shutil.which("uv"):
            links = os.environ.get("PIP_FIND_LINKS", "").replace(" ", ",")
            more = {"UV_FIND_LINKS": os.environ.get("UV_FIND_LINKS", links)} if links else {}
            _do([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], more)
            _do([uv, "pip", "install", "--quiet", "--python", str(python), REQUIREMENT], more)
        else:
            _do([sys.executable, "-m", "venv", str(environment)])
            _do([str(python), "-m", "pip", "install", "--quiet", REQUIREMENT])
        (environment / INSTALLED).touch()
    return environment


def _runs(environment: Path) -> bool:
    command = [str(environment / "bin" / "python"), "-c", "import swift"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _do(command: list[str], more: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        command, env={**os.environ, **(more or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CannotInstallError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class S3Server:
    """Swift in ``folder``, run by the programs of ``environment``: four processes."""

    environment: Path
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports['proxy']}"

    def start(self) -> None:
        """Write the configuration and start all processes."""
        self.ports = {name: free_port() for name in (*RINGS, "proxy")}
        (self.folder / "devices" / "d1").mkdir(parents=True)
        (self.folder / "swift.conf").write_text(SWIFT_CONF)
        for kind in RINGS:
            builder = str(self.folder / f"{kind}.builder")
            place = f"r1z1-127.0.0.1:{self.ports[kind]}/d1"
            for arguments in (["create", "4", "1", "0"], ["add", place, "1"], ["rebalance"]):
                self._program("swift-ring-builder", builder, *arguments)
        for kind in RINGS:
            self._configure(kind, STORAGE_CONF)
        filters = "".join(
            f"\n[filter:{n.replace('proxy_', 'proxy-')}]\nuse = egg:swift#{n}\n" for n in FILTERS
        )
        self._configure("proxy", PROXY_CONF + filters)
        for name in (*RINGS, "proxy"):
            self.run(name)
        self.wait()

    def run(self, name: str) -> None:
        """Start one process, such as ``proxy``."""
        program = self.environment / "bin" / f"swift-{name}-server"
        command = [str(program), str(self.folder / f"{name}.conf"), "-v"]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )

    def wait(self) -> None:
        """Return when the server answers; raises AssertionError with its log if it does not."""
        end = time.monotonic() + SECONDS_TO_START
        for name in (*RINGS, "proxy"):
            while not _answers(self.ports[name]):
                log = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
                assert self.processes[name].poll() is None, f"{name} has ended: {log}"
                assert time.monotonic() < end, f"{name} does not answer: {log}"
                time.sleep(0.05)

    def kill(self, name: str) -> None:
        """End one process as ``kill -9`` does."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)

    def make_bucket(self, name: str) -> None:
        """Make a bucket of the user who has KEY."""
        files = S3FileSystem(
            endpointurl=self.endpoint, access_key_id=KEY, secret_access_key=SECRET
        ).fs
        files.mkdir(name)

    def limit(self, bucket: str, quota: int) -> None:
        """Let a bucket hold so many bytes."""
        self._program("python", "-c", LIMIT, str(self.folder), bucket, str(quota))

    def _program(self, name: str, *arguments: str) -> None:
        command = [str(self.environment / "bin" / name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, 1), done.stdout + done.stderr  # 1: with a warning

    def _configure(self, name: str, text: str) -> None:
        import getpass

        (self.folder / f"{name}.conf").write_text(
            text.format(
                kind=name, port=self.ports[name], folder=self.folder, user=getpass.getuser()
            )
        )


def _answers(port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(1)
        return connection.connect_ex(("127.0.0.1", port)) == 0
