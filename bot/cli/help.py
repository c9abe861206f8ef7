"""Help in the reader's language: Typer writes its own few words in English only."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

from locales import _


def translated(text: str) -> str:
    """A page of help with Typer's own words in the voice in force."""
    words = (
        ("Usage:", _("cli.help.usage")),
        ("\nArguments:\n", f"\n{_('cli.help.arguments')}\n"),
        ("\nOptions:\n", f"\n{_('cli.help.options')}\n"),
        ("\nCommands:\n", f"\n{_('cli.help.commands')}\n"),
        ("[OPTIONS]", _("cli.help.option_pieces")),
        ("COMMAND [ARGS]...", _("cli.help.command_pieces")),
        ("Show this message and exit.", _("cli.help.help")),
        ("[required]", _("cli.help.required")),
        ("[default:", _("cli.help.default")),
    )
    for english, ours in words:
        text = text.replace(english, ours)
    return text


class Command(TyperCommand):
    """A command that shows its help in the reader's language."""

    def get_help(self, ctx: Any) -> str:
        return translated(super().get_help(ctx))


class Group(TyperGroup):
    """A group of commands that shows its help in the reader's language."""

    def get_help(self, ctx: Any) -> str:
        return translated(super().get_help(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            from bot.cli.base import Stop

            raise Stop(_("cli.usage.command", name=args[0][:40], command=ctx.command_path), 2)
        return super().resolve_command(ctx, args)
