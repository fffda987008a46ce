# %%
# only a comment

# %%
# a comment
a = 1  # one more

# %%
#
b = 2
