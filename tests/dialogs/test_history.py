"""What a page with a history is sent."""

from __future__ import annotations

from tests.support.world import World


def test_no_line_gets_the_number_of_one_that_is_gone(world: World) -> None:
    """A page takes a number that it has seen for a line that it shows already."""
    world.profile = "web"
    world.citizen().joins().submits("kha")
    officer = world.officer()
    shown = [officer.last.told[-1].message_id or 0]
    for act in ("/queue", "1", "1", "/trangchu"):
        told = officer.types(act).last.told
        shown.extend(each.message_id or 0 for each in told)
    assert shown == sorted(set(shown))
