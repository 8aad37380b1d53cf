"""What a model bundle is, which bundles are installed and whether to trust them."""
