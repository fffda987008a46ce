# %% The first cell
a = 1

# %% tags=["parameters"]
n = 3

# %% A title tags=["a", "b"] name="x = y"
b = 2

# %% {"slideshow": {"slide_type": "slide"}, "tags": ["raises-exception"]}
c = 1 / 0

# %% collapsed=true jupyter={"outputs_hidden": true}
d = 4

# %% [markdown] A title of text tags=["t"]
# text

# %% [raw] raw_mimetype="text/html"
# <b>raw</b>
