#!/usr/bin/env python
# -*- coding: utf-8 -*-
# ---
# jupyter:
#   kernelspec:
#     name: python3
#     display_name: Python 3
# ---

# %%
a = 1
