"""Machine images: `ami.release` builds what they are baked from, `ami.boot` runs when an instance starts."""
