"""The whole service on one machine: embedded AWS, embedded PostgreSQL and every process of the fleet."""
