"""Makes the modules beside this file (test engines, servers) importable by every test."""

import os

# Settings of whoever runs the tests must not reach them.
for name in [name for name in os.environ if name.startswith("LULLWAVE_")]:
    del os.environ[name]
