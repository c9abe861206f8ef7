"""The sending budget of a bot token where several processes send with it: one row each, changed in a statement."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlmodel import Field, SQLModel

from storage.base import Connection, Prepared, table_of


class Budget(SQLModel, table=True):
    """When an account may send next, and next on its own account (pushes), and from when on at all: seconds since 1970
    by the database's clock, which is the same for every process."""

    __tablename__ = "budgets"
    account: str = Field(primary_key=True, max_length=64)
    next_at: float = Field(default=0.0, sa_type=sa.Double)
    next_push_at: float = Field(default=0.0, sa_type=sa.Double)
    open_at: float = Field(default=0.0, sa_type=sa.Double)


budgets = table_of(Budget)

# clock_timestamp, not now: a transaction that waited for the row must not see the time at which it began.
_NOW = sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
_LEAD = sa.bindparam("lead", type_=sa.Double)  # seconds by which a burst may run ahead
_STEP = sa.bindparam("step", type_=sa.Double)
_PUSH_STEP = sa.bindparam("push_step", type_=sa.Double)
_PUSH_LEAD = sa.bindparam("push_lead", type_=sa.Double)
_OF = budgets.c.account == sa.bindparam("of")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the line: seconds to wait for it, and how long the whole account has to be silent."""

    wait: float
    silent: float


_OPEN = Prepared(pg_insert(budgets).values(account=sa.bindparam("of"), next_at=0.0, next_push_at=0.0, open_at=0.0)
                 .on_conflict_do_nothing())  # fmt: skip
_RESERVE = Prepared(
    sa.update(budgets)
    .where(_OF)
    .values(next_at=sa.func.greatest(budgets.c.next_at, budgets.c.open_at, _NOW) + _STEP)
    .returning(
        sa.type_coerce(budgets.c.next_at - _STEP - _LEAD - _NOW, sa.Double).label("wait"),
        sa.type_coerce(budgets.c.open_at - _NOW, sa.Double).label("silent"),
    )
)
_PUSH = Prepared(
    sa.update(budgets)
    .where(
        _OF,
        budgets.c.open_at <= _NOW,
        budgets.c.next_at <= _NOW + _LEAD,
        budgets.c.next_push_at <= _NOW + _PUSH_LEAD,
    )
    .values(
        next_at=sa.func.greatest(budgets.c.next_at, _NOW) + _STEP,
        next_push_at=sa.func.greatest(budgets.c.next_push_at, _NOW) + _PUSH_STEP,
    )
    .returning(budgets.c.account)
)
_LOOK = Prepared(
    sa.select(
        sa.type_coerce(
            sa.func.greatest(
                budgets.c.open_at - _NOW, budgets.c.next_at - _LEAD - _NOW, budgets.c.next_push_at - _PUSH_LEAD - _NOW
            ),
            sa.Double,
        ).label("wait"),
        sa.type_coerce(budgets.c.open_at - _NOW, sa.Double).label("silent"),
    ).where(_OF)
)
_SILENT = Prepared(sa.select(sa.type_coerce(sa.func.greatest(budgets.c.open_at - _NOW, 0.0), sa.Double)).where(_OF))
_SILENCE = Prepared(
    sa.update(budgets)
    .where(_OF)
    .values(open_at=sa.func.greatest(budgets.c.open_at, _NOW + sa.bindparam("seconds", type_=sa.Double)))
)


def begin(conn: Connection, account: str) -> None:
    """The row of an account, if it has none yet."""
    _OPEN.run(conn, of=account)


def reserve(conn: Connection, account: str, *, step: float, burst: int) -> Place:
    """Take the next place for an answer: it is kept, however many others come meanwhile."""
    row = _RESERVE.first(conn, of=account, step=step, lead=burst * step)
    return Place(max(0.0, row.wait), max(0.0, row.silent)) if row else Place(0.0, 0.0)


def push(conn: Connection, account: str, *, step: float, push_step: float, burst: int) -> Place:
    """A place for a push, if there is one at this moment; else how long to wait before asking again. Nothing is kept
    meanwhile, so answers go before."""
    given = {"step": step, "push_step": push_step, "lead": burst * step, "push_lead": burst * push_step}
    if _PUSH.first(conn, of=account, **given) is not None:
        return Place(0.0, 0.0)
    row = _LOOK.first(conn, of=account, lead=given["lead"], push_lead=given["push_lead"])
    return Place(max(0.001, row.wait), max(0.0, row.silent)) if row else Place(0.001, 0.0)


def silent(conn: Connection, account: str) -> float:
    """For how many seconds the account is still to be silent."""
    return float(_SILENT.value(conn, of=account) or 0.0)


def silence(conn: Connection, account: str, seconds: float) -> None:
    """Nobody sends with this token before so many seconds have passed."""
    _SILENCE.run(conn, of=account, seconds=seconds)
