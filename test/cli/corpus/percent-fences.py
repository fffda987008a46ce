# %% [markdown]
# ```mermaid
# %% a comment of the diagram
# graph TD
# ```

# %%
a = 1

# %% [markdown]
# ~~~
# ```
# %% shown
# ~~~~

# %% [markdown]
# ```python
# what nothing ends

# %%
b = 2
