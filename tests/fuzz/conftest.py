"""How many files are tried: the same few in the ordinary tests, and others with each `make fuzz`."""

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(Path(__file__).parents[2] / "build" / "hypothesis")

# A photo takes as long as it takes, and of a broken one the whole file is of interest.
settings.register_profile(
    "ordinary", max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=HealthCheck
)
settings.register_profile(
    "fuzz", settings.get_profile("ordinary"), max_examples=2000, derandomize=False, print_blob=True
)
settings.load_profile("ordinary")
