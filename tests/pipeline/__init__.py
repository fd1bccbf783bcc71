"""`make pipeline`: builds the image, and deploys it to a second Docker engine as to production."""
