"""How long searches take among a million photos."""
