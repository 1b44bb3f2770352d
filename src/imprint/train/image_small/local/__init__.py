"""The local part of image-small: small deviations on a repeated ground, learnt from drawn pictures.

No photograph is used here: surfaces, marks and circuit patterns are drawn from a seed.
"""
