"""The web tier: pages for people, an HTTP API for programs. It stores, announces and answers; workers do the rest."""
