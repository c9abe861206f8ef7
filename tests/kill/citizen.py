"""A simulated citizen: looks at the open screen and does what a person might do there, until the dossier is in."""

from __future__ import annotations

from dialogs import places
from dialogs.model import Pressed, Screen, Sent
from tests.support.webclient import Phone, Said, Stuck, photo

CODE = "DV06685K"
GROUPS = frozenset(group.id for group in places.current_criteria().subject_groups)
INDICATORS = places.current_criteria().indicators
LEVELS = frozenset(option.level for each in INDICATORS for option in each.options)
MOST_ACTS = 150


def indicator_of(screen: Screen) -> str | None:
    """The indicator that a screen asks a level or evidence for, by its title; ``None`` on any other screen."""
    if not (asks_level(screen) or asks_evidence(screen)):
        return None
    named = [each for each in INDICATORS if each.name.vi in screen.title or each.short.vi in screen.title]
    assert len(named) == 1, f"which indicator is {screen.title!r}?"
    return named[0].id


def asks_level(screen: Screen) -> bool:
    return any(choice.id in LEVELS for choice in screen.choices)


def asks_evidence(screen: Screen) -> bool:
    ids = {choice.id for choice in screen.choices}
    return screen.input in ("photo", "text") and {"pause", "back"} <= ids and not asks_level(screen)


async def plays(phone: Phone) -> None:
    """From the link to a dossier handed in. Raises :class:`Stuck` where it cannot go on."""
    await phone.opens(CODE)
    while not done(phone):
        await _goes_on(phone)
        if len(phone.journal) > MOST_ACTS:
            raise Stuck(f"no end after {MOST_ACTS} acts; now on:\n{phone.read_out()}")


def done(phone: Phone) -> bool:
    """Has the dossier been handed in, and acknowledged?"""
    return any(getattr(said.act, "choice", "") == "submit" for said in phone.journal)


async def _goes_on(phone: Phone) -> None:
    rng, screen, ids = phone.rng, phone.screen, phone.choices()
    chance = rng.random()
    if chance < 0.02:
        await phone.opens(CODE)  # the poster is scanned once more
    elif chance < 0.04:
        await phone.reloads()
    elif chance < 0.09:
        await phone.repeats(rng.choice(phone.journal))
    elif asks_level(screen):
        await _answers(phone)
    elif asks_evidence(screen):
        if "drop" in ids:  # something is there
            await phone.presses("done")
        elif screen.input == "text" or rng.random() < 0.15:
            await phone.types(f"Tôi đã dự lớp tập huấn số {rng.getrandbits(30)} tại nhà văn hóa khu 3")
        else:
            await phone.sends(*(photo(rng.getrandbits(40)) for _n in range(rng.choice((1, 1, 2, 3)))))
    elif "pick" in ids and rng.random() < 0.3:
        await phone.presses("pick")
    elif "pick" not in ids and any(choice.startswith("ask:") for choice in ids):
        await phone.presses(rng.choice([choice for choice in ids if choice.startswith("ask:")]))
    elif screen.input == "name":
        await phone.types(rng.choice(("Nguyễn Văn Hùng", "Lê & Trần <b>", "Phạm Thị Bé")))
    elif screen.input == "year":
        await phone.types(str(rng.randint(1940, 2000)))
    else:
        await phone.presses(_likely(phone))


async def _answers(phone: Phone) -> None:
    """A level; now and then evidence first, or a rest."""
    chance, ids = phone.rng.random(), phone.choices()
    if chance < 0.05:
        await phone.presses("pause")
    elif chance < 0.5 and "evidence" in ids and not _proved(phone.journal[-1]):
        await phone.presses("evidence")
    elif chance < 0.2 and "next" in ids:
        await phone.presses("next")
    else:
        levels = [choice for choice in ids if choice in LEVELS]
        await phone.presses(phone.rng.choice([*levels, *levels[:1] * 3]))  # the highest wants evidence most


def _proved(said: Said) -> bool:
    return isinstance(said.act, Sent) or said.act == Pressed("done")


def _likely(phone: Phone) -> str:
    """The button that leads on."""
    ids = phone.choices()
    for wanted in ("yes", "agree", "skip", "start", "go_on", "submit", "hand_in"):
        if wanted in ids:
            return wanted
    onward = [
        choice for choice in ids if choice.startswith(("ask:", "prove:")) or choice in GROUPS or choice == "ong_ba"
    ]
    if not onward:
        raise Stuck(f"nothing leads on from:\n{phone.read_out()}")
    return phone.rng.choice(onward)
