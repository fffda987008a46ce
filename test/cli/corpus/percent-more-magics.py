# %%
# %%html
# <b>bold</b>

# %%
# %load_ext autoreload
# %autoreload 2

# %%
# files = !ls
# print(files)

# %%
# ?print

# %%
# %time a = 1
# %lsmagic
b = 2

# %%
# %%writefile x.py
# import a
# # b
