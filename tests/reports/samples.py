"""Figures as units might have them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

from reports.model import CENTRE, COMMUNE, PROVINCE, IndicatorMean, Row, UnitFigures

AT = datetime(2026, 11, 21, 2, 41, tzinfo=UTC)
NAMES = ("Phường Hồng Gai", "Xã Đường Hoa", "Đặc khu Vân Đồn", "Phường Mông Dương", "Thành phố Hồ Chí Minh")
LONG = "Chi hội khuyến học Tổ dân phố Nguyễn Thị Minh Khai 3, Phường Hồng Gai"
SHORT_NAMES = (
    "Đọc, cập nhật kiến thức", "Kế hoạch học tập", "Tham gia học tập ở cộng đồng", "Giúp người khác cùng học",
    "Sử dụng công nghệ số", "Ngoại ngữ, tiếng dân tộc", "Tính toán, cải tiến công việc", "Suy xét, phản biện",
    "Sống hòa thuận", "Hợp tác, chia sẻ",
)  # fmt: skip
IDS = ("A1", "A2", "A3", "A4", "B1", "B2", "B3", "B4", "C1", "C2")


def children(count: int, level: int = PROVINCE) -> UnitFigures:
    """A province (or the centre) with *count* units of falling size, every 17th of them empty."""
    rows = tuple(
        Row(f"{at:05}", f"{NAMES[at % 5]} {at}", 0, 0, 0)
        if at % 17 == 16
        else Row(f"{at:05}", f"{NAMES[at % 5]} {at}", 4000 // (at + 1) + 3, 900 // (at + 1) + 2, at)
        for at in range(count)
    )
    registered, submitted, approved = (
        sum(getattr(row, key) for row in rows) for key in ("registered", "submitted", "approved")
    )
    return UnitFigures(
        "22", "Thành phố Quảng Ninh" if level == PROVINCE else "Cả nước", 2026, AT, level,
        registered=registered, submitted=submitted, approved=approved, not_met=9, rows=rows,
    )  # fmt: skip


def commune(means: tuple[float, ...] = (8.4, 6.1, 5.2, 7.9, 6.6, 4.1, 5, 0, 9.3, 10), **changes: object) -> UnitFigures:
    """Phường Hồng Gai late in November."""
    indicators = tuple(
        IndicatorMean(id_, name, mean, 301) for id_, name, mean in zip(IDS, SHORT_NAMES, means, strict=False)
    )
    facts: dict[str, object] = {
        "registered": 1412, "started": 1380, "submitted": 301, "waiting": 38, "returned": 12, "approved": 221,
        "not_met": 30, "withdrawn": 4, "indicators": indicators,
    }  # fmt: skip
    return UnitFigures("06685", "Phường Hồng Gai", 2026, AT, COMMUNE, **(facts | changes))  # type: ignore[arg-type]


def nothing_yet() -> UnitFigures:
    """The first day: communes are there, nobody has come."""
    rows = tuple(Row(f"{at:05}", f"Xã {at}", 0, 0, 0) for at in range(54))
    return UnitFigures("22", "Thành phố Quảng Ninh", 2026, AT, PROVINCE, rows=rows)


EVERY_KIND = {
    "province": children(54),
    "centre": children(34, CENTRE),
    "one child": children(1),
    "20 children": children(20),
    "commune": commune(),
    "long name": dataclasses.replace(commune(), name=LONG, level=3),
    "nothing handed in": commune((), submitted=0, approved=0, not_met=0),
    "province without communes": UnitFigures("22", "Tỉnh Cà Mau", 2026, AT, PROVINCE, registered=3),
    "nothing yet": nothing_yet(),
}
