"""What every storage engine must do, by the protocols alone. A second engine joins ENGINES in conftest.py."""
