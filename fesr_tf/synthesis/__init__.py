"""What the generator makes: images, sheets of them, and their quality."""
