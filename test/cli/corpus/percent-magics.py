# %%
# %matplotlib inline
import os

# %%
# !ls -l
# !pip install x

# %%
# %%time
a = 1

# %%
# %%bash
# pip list
#
# # a comment
# pip check

# %%
# %%timeit -n 1
b = 2
# c = 3

# %%
# A comment that is none
# 100 % of it
# % of it
d = 4  # %time

# %%
# # %matplotlib inline
e = 5

# %%
x = 1
if x:
    # %time y = 2
    # !ls
    pass
