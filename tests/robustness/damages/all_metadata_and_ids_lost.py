"""All metadata and ids lost."""

from tests.intake.damages import FULL, each, forget, forget_ids


def damage(nb):
    return (each(forget)(nb), forget_ids(nb))


points = FULL
said = "lost metadata"
