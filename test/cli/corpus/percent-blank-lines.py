

# %%


a = 1



b = 2


# %%

# %% [markdown]


# text


# %%
def f():
    return 1


class C:

    pass
