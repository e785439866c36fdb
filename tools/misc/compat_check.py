# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What works with the packages of this environment; tools/compat.sh makes the environments."""

import sys

try:
    from fmae_iat_plugin.experiments.stack_check import main
except ImportError as error:  # the stack does not fit: the row says so in the words of the package
    words = ' '.join(str(error).split())
    sys.stdout.write(f'| {sys.argv[1]} | refused: {words} | - | - | - | - | - |\n')
    sys.exit(3)

if __name__ == '__main__':
    sys.exit(main())
