# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: LSST
#     language: python
#     name: lsst
# ---

# %% [markdown]
# # Title

# %%
a = 1
