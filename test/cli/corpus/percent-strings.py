# %%
text = """
# %% no cell
"""

# %%
other = '''it's
# %% none
'''

# %%
# don't
one = "'''"
two = 1
