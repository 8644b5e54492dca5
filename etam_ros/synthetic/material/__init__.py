"""What collages are made of: photographs, footage, and the things in them."""
