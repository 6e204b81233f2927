"""Add, edit and forget memories by hand."""
