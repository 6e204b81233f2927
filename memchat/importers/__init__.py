"""Other programs' files: one module a format, recognised by what is in them."""
