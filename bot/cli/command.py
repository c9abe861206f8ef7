"""The whole command line put together, run, and whatever goes wrong said in one line."""

from __future__ import annotations

import errno
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.main import get_command

from bot.cli.base import Stop
from bot.cli.help import Group
from locales import _

_PLACES = {
    "init": "server",
    "demo": "server",
    "run": "server",
    "doctor": "server",
    "migrate": "server",
    "units": "units",
    "qr": "qr",
    "officers": "officers",
    "import": "imports",
    "assessments": "assessments",
    "report": "figures",
    "population": "figures",
    "recount": "figures",
    "schedule": "schedule",
    "criteria": "criteria",
    "events": "events",
    "keys": "keys",
    "privacy": "privacy",
    "audit": "audit",
    "retention": "retention",
    "backup": "archive",
    "restore": "archive",
    "move-database": "archive",
}  # command -> module in bot.cli: only that of the command given is imported


class Hoctap(Group):
    """All commands, in the order in which an operator meets them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_PLACES)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _PLACES:
            return None
        found: Any = get_command(import_module(f"bot.cli.{_PLACES[cmd_name]}").app)
        return found if _PLACES[cmd_name] == cmd_name else found.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _(f"cli.{name}").partition(". ")[0].rstrip(".") + ".") for name in _PLACES])


app = typer.Typer(
    cls=Hoctap,
    help=_("cli.about"),
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback()
def _common(debug: Annotated[bool, typer.Option("--debug", help=_("cli.debug"))] = False) -> None:
    """``--debug`` is read in :func:`run`, which also sees what fails before this."""


def run(arguments: list[str]) -> int:
    """Run a command line; its exit status (:func:`bot.cli.main`)."""
    try:
        result = get_command(app).main(arguments, prog_name="hoctap", standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the last line of defence: an operator gets a sentence, not a traceback
        return _failed(error, "--debug" in arguments)
    return result if isinstance(result, int) else 0


def _failed(error: Exception, debug: bool) -> int:
    from bot.redaction import redacted

    if debug and (error.__cause__ or not isinstance(error, Stop | typer.TyperException)):
        import traceback

        typer.echo(redacted("".join(traceback.format_exception(error))), err=True, nl=False)
    text, code = explained(error)
    typer.echo(redacted(text), err=True)
    return code


def explained(error: Exception) -> tuple[str, int]:
    """One sentence with cause and mend, and the exit status."""
    if isinstance(error, Stop):
        return error.text, error.code
    if isinstance(error, typer.TyperException):
        return _usage(error), 2
    if isinstance(error, typer.Abort):
        return _("cli.aborted"), 130
    if isinstance(error, OSError):
        return _file(error), 1

    from storage.base import Refused

    if isinstance(error, Refused):
        from bot.cli.refusals import sentence

        return sentence(error), 1
    if type(error).__module__.partition(".")[0] in ("sqlalchemy", "sqlite3", "psycopg"):
        from bot.faults import cause
        from storage.engine import is_transient

        return _("cli.database.busy" if is_transient(error) else "cli.database.failed", reason=cause(error)), 1
    return _("cli.unexpected", error=type(error).__name__), 1


def _file(error: OSError) -> str:
    file = error.filename or ""
    match error.errno:
        case errno.ENOENT:
            return _("cli.file.missing", file=file)
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return _("cli.file.denied", file=file)
        case errno.ENOSPC:
            return _("cli.file.full", file=file)
        case errno.EADDRINUSE:
            return _("cli.port_taken")
    return _("cli.file.other", file=file, reason=error.strerror or type(error).__name__)


def _usage(error: Any) -> str:
    """Typer's own complaints, which it can only make in English. Its classes are private, hence their names."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "hoctap"
    param = getattr(error, "param", None)
    match type(error).__name__:
        case "NoArgsIsHelpError":
            return str(error.message)
        case "NoSuchOption" | "BadOptionUsage":
            return _("cli.usage.option", name=error.option_name, command=command)
        case "MissingParameter" if param is not None:
            return _("cli.usage.missing", name=_written(param), command=command)
        case "BadParameter" if param is not None:
            return _("cli.usage.value", name=_written(param), command=command)
    return _("cli.usage.other", command=command)


def _written(param: Any) -> str:
    if param.param_type_name == "option":
        return str(param.opts[0])
    return str(param.metavar or param.name.upper())
