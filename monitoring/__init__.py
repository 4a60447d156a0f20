"""What we measure about people and models. Pure."""
