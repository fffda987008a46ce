#%%
a = 1
#%% title
b = 2
# %%%
c = 3
# %%%% sub
d = 4
# %% [md]
# text
# %%
e = 5
# %%
# %%
f = 6
