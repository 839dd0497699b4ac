"""The live face of the views: widgets in a notebook, each on the one cursor of its desk."""
