# %% [markdown]
# - item
#   - nested
#
#     code in it
#
# | a | b |
# | - | - |
#
# $x^2$ %magic !no

# %% [markdown]
#no blank
# after it
#
#
# two empty lines

# %%
a = 1
