"""Lets the threads of a matrix product sleep while they wait; import it before torch.

By default GNU OpenMP spins: on a machine with other work, threads that wait then take time from threads that compute,
and a step of denoising takes many times as long. The products here are large, so that waking a thread costs little.
Without effect where torch was imported before, or where the user has set the policy.
"""

import os

_POLICY = "OMP_WAIT_POLICY"  # read once, when the library is loaded

_given = os.environ.get(_POLICY)
os.environ.setdefault(_POLICY, "PASSIVE")
import torch as torch  # noqa: E402

if _given is None:
    del os.environ[_POLICY]  # child processes choose for themselves
