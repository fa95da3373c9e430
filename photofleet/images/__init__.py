"""What uploaded pictures are, told from their bytes alone: no part of this decodes anything."""
