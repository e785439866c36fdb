# Copyright (c) FMAE-IAT plugin authors. SPDX-License-Identifier: Apache-2.0
"""What mkdocstrings reads: docstrings as Markdown, each object in one place."""

import re

import griffe

#: its name is group 1: after a tilde the last part only
ROLE = re.compile(r':(?:class|func|mod|meth|attr|data|exc|obj):'
                  r'`(?:~(?:[^`]*\.)?|\.*)([^`]+)`')
LITERAL = re.compile(r'::(?=\n|$)')
#: several names that share a type and a description, which griffe takes for one name
SHARED = re.compile(r'^( *)(\w+(?:, \w+)+) (\(.*?\): .*(?:\n\1 +.*)*)', re.MULTILINE)


class MarkdownDocstrings(griffe.Extension):
    """Prepares the package for mkdocstrings."""

    def on_object(self, *, obj: griffe.Object, **_) -> None:
        if obj.docstring:
            obj.docstring.value = as_markdown(obj.docstring.value)

    def on_package(self, *, pkg: griffe.Module, **_) -> None:
        """A class is described in its own file, and not again in the rooms that export it."""
        self.on_object(obj=pkg)  # griffe leaves out the package itself
        pkg.exports = None
        for member in pkg.members.values():
            if not member.is_alias and member.is_module:
                self.on_package(pkg=member)


def as_markdown(text: str) -> str:
    """A role becomes its name in code type, ``::`` at the end of a line a colon.

    Each of ``width, height (int): Pixels.`` gets an entry of its own.
    """
    text = SHARED.sub(lambda entry: '\n'.join(f'{entry[1]}{name} {entry[3]}'
                                              for name in entry[2].split(', ')), text)
    return LITERAL.sub(':', ROLE.sub(r'`\1`', text))
