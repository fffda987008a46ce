# A text above

a = 1

# + tags=["x"]
b = 2

c = 3
# -
