# %% tags=['parameters']
a = 1

# %% tags=["a", 'b'] collapsed=True
b = 2

# %% Title {"tags": ["x"]}
c = 3

# %% name='single'
d = 4

# %% deletable=false editable=true n=3
e = 5
