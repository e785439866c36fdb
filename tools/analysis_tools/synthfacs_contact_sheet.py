# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""Write the contact sheets of SynthFACS.

    python tools/analysis_tools/synthfacs_contact_sheet.py [--out docs/images] [--identity 13 1]
"""
import argparse
from pathlib import Path

from fmae_iat_plugin.synthfacs import contact_sheets as sheets


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('docs/images'), help='folder')
    parser.add_argument('--identity', type=int, nargs='+', default=[13, 1, 10],
                        help='seeds of the faces that show the units')
    parser.add_argument('--people', type=int, nargs='+', default=list(range(24, 36)),
                        help='seeds of the sheet of identities')
    parser.add_argument('--limit', type=int, default=390, help='largest file in kB')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    pages = {f'apex_{seed}': sheets.apex_sheet(seed) for seed in args.identity}
    pages['intensity'] = sheets.intensity_sheet(args.identity[0])
    pages['identities'] = sheets.identity_sheet(args.people)
    pages['combinations'] = sheets.combination_sheet(args.identity + args.people)
    pages['views'] = sheets.view_sheet()
    for name, image in pages.items():
        path = args.out / f'synthfacs_{name}.jpg'
        quality = sheets.write_jpeg(path, image, 1000 * args.limit)
        print(f'{path}: {image.shape[1]} x {image.shape[0]}, quality {quality}, '
              f'{path.stat().st_size / 1000:.0f} kB')


if __name__ == '__main__':
    main()
