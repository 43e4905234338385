"""Fits the champion scorecard and its shadow challenger. An optional extra (``training``): serving imports none of it.

``split`` and ``taiwan`` need the standard library alone, so that anybody can score the very rows that were held out;
``champion`` needs numpy and scipy, ``challenger`` LightGBM besides, ``report`` nothing.
"""
