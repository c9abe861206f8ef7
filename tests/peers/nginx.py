"""A real nginx on loopback, with the blocks that a test wants of it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.postgres import MissingPackageError
from tests.support.server import die_with_parent

READY_WITHIN = 20.0
FRAME = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{blocks}
}}
"""
SEVERAL = """
    client_max_body_size 21m;
    upstream hoctap {{
        {servers}
        keepalive 32;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://hoctap;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
    }}
"""


def before(ports: Sequence[int], port: int) -> str:
    """The blocks of an nginx on *port* in front of the servers on these ports."""
    # A server that died is asked again a moment later: it is being started.
    servers = "\n        ".join(f"server 127.0.0.1:{each} max_fails=1 fail_timeout=1s;" for each in ports)
    return SEVERAL.format(port=port, servers=servers)


@contextmanager
def nginx(folder: Path, port: int, blocks: str) -> Iterator[str]:
    """nginx with these blocks of ``http``, one of which listens on *port*: ``http://127.0.0.1:23456``."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise MissingPackageError("nginx is missing: install the package nginx (make test does so as root)")
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(FRAME.format(folder=folder, blocks=blocks))
    process = subprocess.Popen(
        [program, "-c", config, "-p", folder, "-e", folder / "error.log"], preexec_fn=die_with_parent
    )
    try:
        _wait_until_ready(process, port, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGQUIT)
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    while True:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"nginx does not serve: {(folder / 'error.log').read_text()[-2000:]}")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).close()
        except urllib.error.HTTPError:
            return  # it answers, whatever
        except OSError:
            time.sleep(0.05)
        else:
            return
