"""Which Telegram bot a command means, and its name there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.cli.base import Stop
from locales import _

if TYPE_CHECKING:
    from bot.settings import Account, Settings
    from storage.base import Connection
    from storage.units import UnitRow


def chosen_bot(settings: Settings, name: str | None) -> Account:
    """The bot of this name (``bot``: the one without), or the only one there is."""
    from bot.settings import accounts

    bots = {each.name or "bot": each for each in accounts(settings)}
    if not bots:
        raise Stop(_("cli.qr.no_bot", key="telegram.token"), 2)
    if name is None and len(bots) > 1:
        raise Stop(_("cli.qr.which_bot", names=", ".join(bots)), 2)
    if name is not None and name not in bots:
        raise Stop(_("cli.qr.unknown_bot", name=name[:40], names=", ".join(bots)), 2)
    return bots[name] if name is not None else next(iter(bots.values()))


def username_of(settings: Settings, bot: Account) -> str:
    """Its ``@`` name, asked of Telegram. Raises :class:`Stop` when that cannot be had."""
    from bot.channels.telegram_about import About, ask

    (answer,) = ask([bot.token], settings.telegram.api_url)
    if isinstance(answer, About):
        return answer.username
    raise Stop(_("cli.qr.refused" if answer.why == "refused" else "cli.qr.unreached", account=bot.account))


def bot_of_unit(settings: Settings, conn: Connection, unit: UnitRow) -> Account | None:
    """The bot that serves a unit: named by its province's code, else the one without a name, else the only one."""
    from bot.settings import accounts
    from storage import units

    bots = {each.name: each for each in accounts(settings)}
    above = (unit, *units.ancestors(conn, unit))
    province = next((each.code for each in above if each.level == units.PROVINCE), "")
    only = next(iter(bots.values())) if len(bots) == 1 else None
    return bots.get(province) or bots.get("") or only


def username_at(settings: Settings, conn: Connection, unit: UnitRow, name: str | None, asked: dict[str, str]) -> str:
    """The ``@`` name of the bot called *name*, else of the one that serves a unit. *asked* keeps what Telegram said, so
    that it is asked once for each bot."""
    chosen = (bot_of_unit(settings, conn, unit) if name is None else None) or chosen_bot(settings, name)
    if chosen.name not in asked:
        asked[chosen.name] = username_of(settings, chosen)
    return asked[chosen.name]
