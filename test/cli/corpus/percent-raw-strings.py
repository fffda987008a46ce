# %% [markdown]
r"""
$\alpha$
"""

# %% [markdown]
"""Begins here

ends here"""

# %% [markdown]

'''
# Title
'''

# %% [md]
"""
"""
a
