# %% tags=["active-ipynb"]
# %matplotlib inline
# a = 1

# %% tags=["active-py"]
b = 2

# %% tags=["active-ipynb-py"]
c = 3

# %% active="ipynb"
# d = 4

# %% active="ipynb,py"
e = 5

# %% run_control={"frozen": true}
# f = 6
