"""A plain shirt, which hides where the head's mesh ends: the shoulders' surface lifted off the skin and carried down."""

import functools

import numpy as np

from tfface.synthetic import head
from tfface.synthetic.genes import gene_rng
from tfface.synthetic.shapes import flat, mesh

LIFT = 0.045  # dm off the skin
DROP = 3.0  # dm below the end of the mesh: out of every picture
# The collar's plane on the base mesh: below y = COLLAR_Y + COLLAR_TILT * z, so that it is deeper in front.
COLLAR_Y, COLLAR_TILT = 6.02, -0.36


def meshes(identity, neutral):
    """Returns the list with the shirt of a person.

    Args:
        identity: the person's seed, which fixes the colour.
        neutral: (5495, 3) vertices of the person without expression, dm.
    """
    vertices, triangles, edges = _surface()
    normals = head.normals(neutral)[vertices]
    top = neutral[vertices] + np.float32(LIFT) * normals
    hem = np.unique(edges)
    below = top[hem] * np.array([1, 0, 1], np.float32) + np.array([0, top[:, 1].min() - DROP, 0], np.float32)
    number = np.zeros(len(vertices), np.int64)
    number[hem] = np.arange(len(hem)) + len(vertices)
    a, b = edges.T
    skirt = np.concatenate([np.stack([b, a, number[a]], 1), np.stack([b, number[a], number[b]], 1)])
    rng = gene_rng("clothes", identity)
    color = rng.uniform(0.02, 0.75) ** 1.5 * rng.uniform(0.35, 1.0, 3) + 0.01
    pieces = [(np.concatenate([top, below]), np.concatenate([triangles, skirt]))]
    return [mesh(pieces, flat(color, 0.03), two_sided=True)]


@functools.cache
def _surface():
    """Returns the shirt's surface vertices (numbers of the base mesh), local triangles, and (E, 2) edges of its end.

    Edges run as in the triangle that they belong to.
    """
    template = head.template()
    body = template.surface[template.part == template.part_names.index("body")]
    x, y, z = np.moveaxis(template.vertices[body].mean(1), 1, 0)
    covered = body[y < COLLAR_Y + COLLAR_TILT * z]
    vertices, local = np.unique(covered, return_inverse=True)
    local = local.reshape(-1, 3)
    edges = np.concatenate([local[:, [0, 1]], local[:, [1, 2]], local[:, [2, 0]]])
    _, index, count = np.unique(np.sort(edges, axis=1), axis=0, return_index=True, return_counts=True)
    edges = edges[index[count == 1]]
    # The open edges are the collar and the mesh's own end, which lies on open edges of the whole body as well.
    whole = np.concatenate([body[:, [0, 1]], body[:, [1, 2]], body[:, [2, 0]]])
    pairs, count = np.unique(np.sort(whole, axis=1), axis=0, return_counts=True)
    end = {tuple(pair) for pair in pairs[count == 1]}
    at_end = [tuple(sorted((vertices[a], vertices[b]))) in end for a, b in edges]
    return vertices, local.astype(np.int32), edges[np.array(at_end)]
