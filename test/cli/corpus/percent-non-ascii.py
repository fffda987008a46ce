# %% Größe tags=["größe"]
größe = "é 漢字 🚀"

# %% [markdown]
# # Überschrift 🚀
#
# naïve
