# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: P
#     language: python
#     name: python3
# ---

# %% language="bash"
# ls
# # c
#
# echo x

# %% language="html"
# <b>x</b>

# %%
# %%time
a=1

# %%
# %%writefile x.py
import a
# b

# %% language="javascript"
# let a

# %%
# %%capture
# %ls
print(1)

# %%
# x = !ls

# %%
# ?print

# %%
# !ls \
#   -l

# %%
# # %matplotlib inline
a

# %% magic_args="-i x" language="R"
# plot(x)

# %% language="latex"
# $x$

# %%
# %%timeit -n 1
f()

# %% language="perl"
# print

# %% language="cython"
# cdef int a

# %%
if x:
    # %time y
    # !ls

# %%
"""
%time
"""

# %% [markdown]
# # T
#
# ```mermaid
# %% c
# ```

# %% [raw]
# raw
# # x

# %% tags=["active-ipynb"]
# a

# %% run_control={"frozen": true}
# b=1

# %%
# %% [markdown]
a

# %%
import b
# + x

# %%
# %matplotlib inline

# %%
# %cd x

# %%
get_ipython()

