# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""A mapping whose values are made when they are first asked for."""
from collections.abc import Mapping


class OnDemand(Mapping):
    """Most faces use few of an identity's folds and motions, and most identities few faces.

    Args:
        keys (Iterable): What can be asked for.
        make (Callable): Key -> value.
    """

    def __init__(self, keys, make):
        self._keys, self._make, self._made = dict.fromkeys(keys), make, {}

    def __getitem__(self, key):
        if key not in self._made:
            if key not in self._keys:
                raise KeyError(key)
            self._made[key] = self._make(key)
        return self._made[key]

    def __contains__(self, key):
        return key in self._keys

    def __iter__(self):
        return iter(self._keys)

    def __len__(self):
        return len(self._keys)
