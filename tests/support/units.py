"""A handful of units for tests that need no more."""

from __future__ import annotations

import sqlalchemy as sa

from storage.base import Connection, table_of
from storage.units import Unit

FEW = (
    (1, "VN", 0, None, "VN/", "Trung ương Hội", "trung_uong"),
    (2, "22", 1, 1, "VN/22/", "Thành phố Quảng Ninh", "thanh_pho"),
    (3, "06685", 2, 2, "VN/22/06685/", "Phường Hồng Gai", "phuong"),
    (4, "06688", 2, 2, "VN/22/06688/", "Phường Hạ Long", "phuong"),
    (5, "0668503", 3, 3, "VN/22/06685/0668503/", "Chi hội khu 3", "chi_hoi"),
    (6, "31", 1, 1, "VN/31/", "Thành phố Hải Phòng", "thanh_pho"),
)


def few_units(conn: Connection) -> None:
    """The centre, two provinces, two communes and an association unit: row ids 1 to 6 as in :data:`FEW`."""
    rows = [
        {
            "id": id, "vintage": "2025", "code": code, "level": level, "parent_id": parent, "path": path, "name": name,
            "kind": kind, "folded": name.lower(),
        }
        for id, code, level, parent, path, name, kind in FEW
    ]  # fmt: skip
    conn.execute(sa.insert(table_of(Unit)), rows)
