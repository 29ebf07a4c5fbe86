"""Being here puts this folder on the path, so that tests may ``import synthetic``."""

from hypothesis import settings

# A busy machine is slow, not wrong.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
