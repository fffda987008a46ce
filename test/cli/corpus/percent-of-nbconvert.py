#!/usr/bin/env python
# coding: utf-8

# In[1]:


a = 1


# In[ ]:


b = 2

# <codecell>
c = 3
