"""Lets the threads of a matrix product sleep while they wait; import it before torch.

By default GNU OpenMP spins: on a machine with other work, threads that wait then take time from threads that compute,
and a step of denoising takes many times as long. The products here are large, so that waking a thread costs little.
Without effect where torch was imported before, or where the user has set the policy.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
