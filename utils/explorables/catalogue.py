"""What explorables there are: their titles, the one idea that each teaches, and the caption of the still picture."""

from __future__ import annotations

from typing import NamedTuple


class Explorable(NamedTuple):
    """One explorable.

    Args:
        name: of its files: js/NAME.js and stills/NAME.png.
        lab: the lab that it belongs to, such as "lab1".
        title: above the card.
        lead: what to do, in a sentence or two.
        idea: what it teaches, in three sentences.
        caption: what the still picture shows: its alternative text.
    """

    name: str
    lab: str
    title: str
    lead: str
    idea: str
    caption: str


CATALOGUE = {
    explorable.name: explorable
    for explorable in (
        Explorable(
            "two_gaussians",
            "lab1",
            "Guidance is a sum of two arrows",
            "Drag the point along the line, then change the time and the guidance scale.",
            "The score of the whole data set is an arrow towards the middle of everything nearby, and the score of "
            "the class is an arrow towards the class. Guidance starts with the first and adds w times the difference "
            "of the two. At w = 1 the sum is the score of the class; beyond 1 it points past the class.",
            "Two Gaussians on a line at time 0.15, and four arrows at the point -0.4: the score of all data points "
            "left, the score of the class right to its centre, and with w = 2 the guided score beyond it.",
        ),
        Explorable(
            "up_spins",
            "lab1",
            "What the guidance scale does to a distribution",
            "Choose a world, then change w. Bars (exact) and dots (samples) show how many of 36 spins are up.",
            "If guidance sampled p(x) p(y | x)^w, the number of up spins would follow the tilted distribution. Beyond "
            "w = 1 that distribution hardly changes, because the class of nearly every lattice is already certain. "
            "Guided samples nevertheless keep moving: with larger w, more and more of them have no spin up.",
            "The number of up spins in world 2: bars for the tilted distribution at w = 3, which nearly cover the "
            "distribution of the class, and dots for guided samples. Below, P(no spin up) against w: the tilted curve "
            "is flat beyond w = 1, and the samples rise above it.",
        ),
        Explorable(
            "ring_field",
            "lab2",
            "Every copy pulls",
            "Drag the point over the square, then change the noise. The square is one cell; the pale peaks around it "
            "are its copies.",
            "On a ring every peak has copies, and all of them pull at a point, each in proportion to its share. At "
            "small noise one share is nearly 1, so the score is long just beside the line half-way between two peaks, "
            "and it flips where you cross that line. At large noise many copies share the pull, and three per atom "
            "are not enough.",
            "The square of two atoms at sigma = 0.2, with its two peaks and their copies around it. At the point (0.3, "
            "0.35) orange arrows pull towards both peaks and two copies, and a black arrow shows their sum, the score.",
        ),
        Explorable(
            "ring_walk",
            "lab2",
            "Predictor and corrector, one step at a time",
            "Walk from noise to the crystal. Time runs from the middle of the disc to its rim, where the atoms end.",
            "The predictor goes to a lower noise level: it follows the score and adds about half as much noise as it "
            "removes. The corrector stays at its level: a small step along the score and noise that balances it. "
            "Together they bring the two atoms half a ring apart, as near as the spread of the data allows.",
            "The first 30 of 63 steps of two atoms on a ring, drawn as two curves that leave the middle of a disc "
            "and come to lie half a ring apart. Beside it, the distance to the crystal falls with the noise level, "
            "to about 0.01, the spread of the data.",
        ),
        Explorable(
            "particle_cloud",
            "lab3",
            "What guidance samples, and what it does not",
            "400 particles go from noise to data, guided towards the lower right cloud. Blue is the tilted density.",
            "At every time the guided score is the score of the tilted density p(x) p(y | x)^w, drawn in blue. "
            "Yet for w above 1 the particles do not end in it: they end farther out, those of the ODE more than those "
            "of the SDE, and those of the ODE also lie closer together. The tilted densities at different times are "
            "not noised versions of each other, so following their scores does not lead from one to the next.",
            "Particles at the end of sampling with w = 4 over the tilted density. Means are measured from the middle "
            "towards the class. The tilted density has the mean 1.60. The particles of the ODE lie in a small spot "
            "beyond it, with mean 2.20; those of the SDE are as wide as it is, with mean 1.74.",
        ),
        Explorable(
            "guided_digits",
            "lab4",
            "Quality against variety",
            "Choose a digit, then change w and the time. Each column starts from its own noise, the same for every w.",
            "The network of lab 4 draws what the label says once w is 1 or more. With larger w the four digits of a "
            "label become cleaner, and more alike. The label wins early: at w = 5 you can read the digit at t = 0.6.",
            "Four sevens from four noises at w = 3, and below them the ten digits from the first noise.",
        ),
    )
}
