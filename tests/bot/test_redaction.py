"""No token in what the process writes."""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import sys
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.redaction import CHATTY, install, redacted

TOKEN = "1234567890:AAGs3cretS3cretS3cretS3cretS3cret-_1"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What goes to the root logger's handler, installed as ``hoctap run`` does."""
    out = io.StringIO()
    root = logging.getLogger()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    levels = {name: logging.getLogger(name).level for name in (None, *CHATTY)}
    formatters = {each: each.formatter for each in (*root.handlers, logging.lastResort) if each is not None}
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back in the end
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    install()
    install()
    yield out
    root.removeHandler(handler)
    for each, formatter in formatters.items():
        each.setFormatter(formatter)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def clean(out: io.StringIO, *texts: str) -> None:
    said = out.getvalue()
    assert "s3cret" not in said
    assert "1234567890" not in said
    for text in ("•••", *texts):
        assert text in said, said


@given(
    st.text(max_size=20),
    st.from_regex(r"\A[0-9]{5,15}:[A-Za-z0-9_-]{30,60}\Z"),
    st.sampled_from(["/getMe", "", " ", "'", '"', "%20", "`", "\\n"]),
)
def test_every_token_is_masked_wherever_it_stands(before: str, token: str, after: str) -> None:
    secret = token.partition(":")[2]
    for written in (token, quote(token, safe=""), quote(quote(token, safe=""), safe=""), token.replace(":", "%3a")):
        text = redacted(f"{before}/bot{written}{after}")
        assert text.endswith(f"/bot•••{after}")
        assert secret not in text[len(before) :]


@pytest.mark.parametrize("text", ["9:41", "127.0.0.1:8080", "HS-2026-7K3QD", "12345:short", "sha256:" + "a" * 64])
def test_other_things_are_left(text: str) -> None:
    assert redacted(text) == text


def test_arguments_exceptions_and_their_causes(written: io.StringIO) -> None:
    log = logging.getLogger("bot.test")
    log.info("calling %s", f"https://api.telegram.org/bot{TOKEN}/getMe")
    try:
        try:
            raise OSError(f"first /bot{TOKEN}/x")
        except OSError as error:
            raise RuntimeError(TOKEN) from error
    except RuntimeError:
        log.exception("failed", stack_info=True)
    clean(written, "INFO bot.test: calling https://api.telegram.org/bot•••/getMe", "OSError: first /bot•••/x")
    assert written.getvalue().count("•••") == 3


def test_pythons_own_words_about_uncaught_exceptions(written: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise RuntimeError(TOKEN)

    class Ends:
        def __del__(self) -> None:
            fails()

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    clean(written, "ERROR bot.redaction: thread ended", "RuntimeError: •••")
    try:
        fails()
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("RuntimeError: •••\n")
    Ends()
    gc.collect()
    clean(written, "__del__")
    assert written.getvalue().count("RuntimeError: •••") == 2


def test_a_task_that_nobody_waits_for(written: io.StringIO) -> None:
    async def fails() -> None:
        raise RuntimeError(TOKEN)

    async def forgets() -> None:
        asyncio.get_running_loop().create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        gc.collect()

    asyncio.run(forgets())
    clean(written, "ERROR asyncio: Task exception was never retrieved", "RuntimeError: •••")


def test_python_telegram_bot_quotes_a_refused_token(written: io.StringIO) -> None:
    from telegram.error import InvalidToken

    logging.getLogger("bot.test").error(
        "push", exc_info=InvalidToken(f"The token `{TOKEN}` was rejected by the server.")
    )
    clean(written, "The token `•••` was rejected")


def test_httpx_does_not_tell_every_call(written: io.StringIO) -> None:
    import httpx

    answer = httpx.MockTransport(lambda _request: httpx.Response(200))
    with httpx.Client(transport=answer) as client:
        client.get(f"https://api.telegram.org/bot{TOKEN}/getMe")
    assert written.getvalue() == ""
