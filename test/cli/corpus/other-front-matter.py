# ---
# title: A script
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
# ---
# %%
a = 1
