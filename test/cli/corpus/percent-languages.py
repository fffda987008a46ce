# %% language="bash"
# ls
# # a comment
#
# echo x

# %% magic_args="-i x" language="R"
# plot(x)

# %% language="html" tags=["a"]
# <b>x</b>

# %% language="python"
a = 1
