"""Contenders that run OpsPilot's own code, each as `python -m bench.ours.…`. Importing the package sets Django up."""

import django

django.setup()
