"""What only a GPU can show. `make test-gpu`; on a machine without one, `pytest -m gpu --device cpu` runs the bodies."""
