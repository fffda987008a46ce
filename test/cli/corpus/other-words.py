# %%
# print?
a = 1

# %%
# cd ..
# copy what is there
b = 2

# %%
# %%bash
# ls
# # a comment
