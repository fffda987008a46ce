# %%
# !ls \
#   -l
a = 1

# %%
text = """
# %time
# !ls
"""
# %time b = 2

# %%
# x = %pwd
# y = !ls -l
#   !ls
# ## %time
