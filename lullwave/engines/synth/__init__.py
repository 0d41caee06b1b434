"""The embedded engine: composes and synthesises lo-fi from nothing but NumPy and SciPy.

::

    prompt ──▶ intent ──▶ planner ──▶ PieceSpec ──▶ composer ──▶ bars (score.Bar) ──▶ renderer ──▶ audio
              what was    variety     a piece in     notes, hits,   one after        instruments,
              asked for   and memory  numbers        the mix        another          effects, ambience

``prompts/`` makes the intent, ``planning/`` the PieceSpec, ``writing/`` the bars, ``sound/`` the audio; ``catalogue/``
holds one record for each instrument, drum and kit, which all four read.

``score`` is the seam: everything left of it is music theory and knows no sample; everything right of it is sound
and knows no theory. ``engine`` joins the two into the streams of ``lullwave.engines.base``.
"""
