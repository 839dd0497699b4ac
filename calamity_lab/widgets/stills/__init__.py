"""Still pictures: a view's value as HTML that needs no kernel, no script and no network."""
