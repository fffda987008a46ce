# %% [markdown]
"""
# Title

text
"""

# %% [markdown]
'''One line'''

# %% [markdown]
"""
With a line

between
"""

# %% [raw]
"""
raw text
"""

# %%
"""A docstring is code."""
