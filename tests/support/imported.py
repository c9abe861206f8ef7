"""What a server imports, for processes that are forked with it (:class:`tests.support.server.Forked`)."""

import bot.channels.telegram
import bot.cli.command
import bot.cli.server
import bot.run

__all__ = ["bot"]
