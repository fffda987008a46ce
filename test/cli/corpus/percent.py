import math

# %%
radius = 2

# %% [markdown]
# # A circle
#
# has an area.

# %%
math.pi * radius**2
