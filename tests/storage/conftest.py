"""Databases for storage tests: both kinds, with every table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import storage.tables  # noqa: F401 - brings every table
from storage.engine import metadata, open_engine, writing
from storage.units import Unit, table_of


@pytest.fixture
def database(database_url: str) -> Iterator[sa.Engine]:
    """A database with all tables and a handful of units: VN, Quảng Ninh, two communes, one association unit."""
    engine = open_engine(database_url)
    with writing(engine) as conn:
        metadata.create_all(conn)
        units = table_of(Unit)
        for id, code, level, parent, path, name, kind in (
            (1, "VN", 0, None, "VN/", "Trung ương Hội", "trung_uong"),
            (2, "22", 1, 1, "VN/22/", "Thành phố Quảng Ninh", "thanh_pho"),
            (3, "06685", 2, 2, "VN/22/06685/", "Phường Hồng Gai", "phuong"),
            (4, "06688", 2, 2, "VN/22/06688/", "Phường Hạ Long", "phuong"),
            (5, "0668503", 3, 3, "VN/22/06685/0668503/", "Chi hội khu 3", "chi_hoi"),
        ):
            conn.execute(
                sa.insert(units).values(
                    id=id, vintage="2025", code=code, level=level, parent_id=parent, path=path, name=name, kind=kind,
                    folded=name.lower(),
                )
            )  # fmt: skip
    yield engine
    engine.dispose()
