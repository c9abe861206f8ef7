"""A local S3 server (moto's), with one bucket that only its owner may read: people are known, strangers are refused."""

from __future__ import annotations

import json
import logging
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.server import ThreadedMotoServer

from storage.blobs import Bucket

NAME = "hoctap"


@dataclass(slots=True)
class S3:
    """The server at *url*, and who we are there. ``client`` is the owner's own hand."""

    url: str
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)

    def bucket(self, prefix: str = "evidence", **other: Any) -> Bucket:
        """Our bucket, as settings describe it."""
        said = {
            "endpoint": self.url,
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key,
            **other,
        }
        return Bucket(NAME, prefix, **said)

    def client(self, service: str = "s3") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id or "root",
            aws_secret_access_key=self.secret_access_key or "root",
        )

    def guarded(self, after: int) -> None:
        """Ask everybody who they are from the *after*-th request on."""
        self._tell("reset-auth", str(after))

    def forgets(self) -> None:
        """Nobody and nothing is known: servers of one process share what they know, also with one that has ended."""
        self.guarded(10**9)
        self._tell("reset", "")

    def _tell(self, what: str, content: str) -> None:
        request = urllib.request.Request(
            f"{self.url}/moto-api/{what}", content.encode(), {"Content-Type": "text/plain"}
        )
        with urllib.request.urlopen(request) as answer:
            answer.read()


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server on a free port, for as long as the block lasts."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        found = S3(f"http://{host}:{port}")
        found.forgets()
        iam = found.client("iam")
        iam.create_user(UserName=NAME)
        allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_user_policy(UserName=NAME, PolicyName="all", PolicyDocument=json.dumps(allow))
        key = iam.create_access_key(UserName=NAME)["AccessKey"]
        found.client().create_bucket(Bucket=NAME)
        found.access_key_id, found.secret_access_key = key["AccessKeyId"], key["SecretAccessKey"]
        found.guarded(0)
        yield found
    finally:
        server.stop()
