"""What it does."""

import math

# a comment
print(math.pi)
