"""The whole product under load while everything it consists of, and everything it depends on, fails in turn."""
