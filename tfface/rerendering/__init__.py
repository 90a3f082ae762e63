"""Photographs of people rendered anew, with another pose or expression and exact labels. No TensorFlow.

`portrait.Portrait.of` fits the synthetic head to a face (`shape`, `fitting`, `light`), cuts the person out of the
picture (`cutout`) and keeps where each part of the surface is seen in it (`texture`, `sheet`). `Portrait.render` moves
the surface and draws the photo's own pixels on it. `dataset` makes records of whole folders.
"""
