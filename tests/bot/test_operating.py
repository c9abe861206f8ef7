"""docs/operating.md is true: its commands exist, its nginx block serves, its alerts ask for what is measured."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from bot import metrics
from bot.cli.command import app
from bot.cli.imports import FILE, Import
from bot.service import Parts, Service
from bot.settings import Settings
from dialogs.states import Rules
from storage.housekeeping import Keep
from tests.peers.nginx import nginx
from tests.support.server import Server, free_port
from tests.telegram.conftest import seeded  # noqa: F401 - a fixture

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "operating.md").read_text("utf-8")
WORDS_BEFORE = r"(?:^|[;&|]\s*|\bsudo -u hoctap |'|=/srv/hoctap/)\s*(?:LANG=en )?(?:\.venv/bin/)?"


def commands() -> list[str]:
    """What the guide says to type: in indented blocks, and in the text between backticks."""
    found = []
    for line in GUIDE.splitlines():
        if line.startswith("    "):
            code = re.sub(r"\s+# .*", "", line.strip())
            found += [each for each in re.findall(rf"{WORDS_BEFORE}(hoctap [^;&|'>]+)", code) if "{" not in each]
        else:
            found += re.findall(r"`(hoctap [^`]*)`", line)
    return sorted({each.strip() for each in found})


def test_there_are_commands_to_check() -> None:
    assert len(commands()) > 40
    for each in (
        "hoctap migrate --down 0002 --yes",
        "hoctap run --role web",
        "hoctap audit --officer 17 --since 2026-11-20",
    ):
        assert each in commands()


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_guide_exists(command: str) -> None:
    line = command.split("|")[0].replace("…", "").replace("[", "").replace("]", "")
    node: Any = get_command(app)
    context = node.make_context("hoctap", [], resilient_parsing=True)
    words = shlex.split(line)[1:]
    while words and hasattr(node, "get_command"):
        if isinstance(node, Import) and words[0] not in node.commands:
            words.insert(0, FILE)
        if words[0].startswith("-"):
            break
        found = node.get_command(context, words[0])
        assert found is not None, f"{command}: no command {words[0]!r}"
        node, words = found, words[1:]
    known = {name for each in node.params for name in (*each.opts, *each.secondary_opts)} | {"--help", "--debug"}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    assert not wrong, f"{command}: no option {wrong}"
    takes = [each for each in node.params if each.param_type_name == "argument"]
    if words and not words[0].startswith("-"):
        assert takes, f"{command}: takes no {words[0]!r}"


def test_every_setting_is_in_the_guide() -> None:
    for section, field in Settings.model_fields.items():
        for key in getattr(field.annotation, "model_fields", {}):
            if key not in ("s3", "bots"):
                assert f"`{section}.{key}`" in GUIDE, f"{section}.{key}"


# ------------------------------------------------------------------------------------------------ nginx


def block_of_the_guide(port: int, behind: int) -> str:
    """The guide's server block, over plain http on a port of loopback."""
    start = GUIDE.index("    server {\n        listen 443 ssl;")
    block = GUIDE[start : GUIDE.index("\n    }\n", start) + 7]
    lines = [line for line in block.splitlines() if not re.search(r"ssl_certificate|listen \[::\]", line)]
    plain = "\n".join(lines).replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    assert plain.count("http://127.0.0.1:8080") == 1
    return plain.replace("http://127.0.0.1:8080", f"http://127.0.0.1:{behind}")


def large_photo() -> bytes:
    """15 MB."""
    side, out = 2240, BytesIO()
    Image.linear_gradient("L").resize((side, side)).convert("RGB").save(out, "PNG", compress_level=0)
    assert 15_000_000 < out.tell() < 16_000_000
    return out.getvalue()


@pytest.mark.slow
async def test_the_nginx_block_of_the_guide_serves(seeded: Path, tmp_path: Path) -> None:  # noqa: F811
    port = free_port()
    server = Server.on(seeded, tmp_path, {"HOCTAP_WEB__PUBLIC_URL": f"http://127.0.0.1:{port}"})
    try:
        server.start()
        await server.ready()
        with nginx(tmp_path / "nginx", port, block_of_the_guide(port, server.port)) as base:
            # The block passes the name on without the port, as browsers send it to 443.
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
                async with session.get(f"{base}/chat") as page:
                    assert page.status == 200 and "Công dân học tập" in await page.text()
                headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}

                async def does(id: str, **act: Any) -> None:
                    body = json.dumps({"id": id, "screen": None, **act})
                    async with session.post(f"{base}/chat/act", data=body, headers=headers) as answer:
                        assert answer.status == 200, await answer.text()

                await does("act-0001", kind="opened", payload="DV06685K")
                for n, text in enumerate(("1", "1", "Nguyễn Thị Lan", "1957", "Không cho số", "1", "1"), 2):
                    await does(f"act-000{n}", kind="typed", text=text)
                async with session.post(
                    f"{base}/chat/upload", data=large_photo(), headers={**headers, "Content-Type": "image/png"}
                ) as answer:
                    assert answer.status == 200, await answer.text()
                async with session.get(f"{base}/chat/stream?after=999999") as stream:
                    assert stream.status == 200 and stream.content_type == "text/event-stream"
                    assert b"retry" in await asyncio.wait_for(stream.content.readline(), 5)
                    await does("act-0009", kind="typed", text="giúp tôi với")
                    coming = await asyncio.wait_for(stream.content.readuntil(b"data: "), 5)  # not held back by nginx
                    assert b"id: " in coming
    finally:
        server.kill()


# ------------------------------------------------------------------------------------------------ alerts


async def test_the_alerts_ask_for_what_is_measured(seeded: Path, tmp_path: Path) -> None:  # noqa: F811
    shutil.copyfile(seeded, tmp_path / "hoctap.sqlite")
    service = Service(Parts(f"sqlite:///{tmp_path}/hoctap.sqlite", tmp_path / "evidence", Rules(), Keep()))
    try:
        text = (await metrics.scrape(service)).decode()
    finally:
        await service.stop(1)
    known = {
        name
        for family in text_string_to_metric_families(text)
        for name in ((f"{family.name}_total",) if family.type == "counter" else (family.name,))
    }
    (group,) = yaml.safe_load((DOCS / "alerts.yml").read_text("utf-8"))["groups"]
    assert len({rule["alert"] for rule in group["rules"]}) == 6
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}, rule["alert"]
        assert re.fullmatch(r"Hoctap[A-Za-z]+", rule["alert"])
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")") and re.search(r"[<>=]=? ?[0-9]", rule["expr"])
        named = set(re.findall(r"\b(hoctap_[a-z_]+|up)\b", re.sub(r"\{[^}]*\}", "", rule["expr"])))
        assert named and named - {"up"} <= known, (rule["alert"], named - known)
    in_guide = set(re.findall(r"`(hoctap_[a-z_]+)", GUIDE))
    assert in_guide and in_guide <= known, in_guide - known
