"""Random streams of a person, and the genes that more than one module asks for."""

import zlib

import numpy as np

HAIR_COLORS = ("black", "brown", "blond", "gray", "red")

# How common the hair colours above are with African, Asian and European ancestry (rounded; gray: dyed or early).
_HAIR_CHANCES = np.array([[0.86, 0.1, 0.01, 0.02, 0.01], [0.82, 0.13, 0.02, 0.02, 0.01], [0.14, 0.4, 0.28, 0.04, 0.14]])


def gene_rng(gene, identity):
    """The random stream of one named gene of one person: a function of both and of nothing else."""
    return np.random.default_rng([zlib.crc32(gene.encode()), int(identity)])


def ethnicity(identity):
    """Three weights of sum 1: African, Asian, European. Mixtures occur but most people are near one corner, else all
    faces drift to the same average."""
    return gene_rng("ethnicity", identity).dirichlet([0.3, 0.3, 0.4])


def hair_color_order(identity):
    """The five hair colours from the person's own to the least likely: "not X" is the first that is not X."""
    chances = ethnicity(identity) @ _HAIR_CHANCES
    order = gene_rng("hair colour order", identity).choice(5, 5, replace=False, p=chances / chances.sum())
    return tuple(HAIR_COLORS[i] for i in order)
