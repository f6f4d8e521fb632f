"""Asks Buildroot's kind of menu what becomes of the answers given as arguments (NAME=y).

Prints every option that is on, one a line. Ends with 1 and says why where the menu cannot be read, a
name in it is not known, or an option is selected whose own needs are not met.
"""

import sys

import kconfiglib

menu = kconfiglib.Kconfig(sys.argv[1], warn_to_stderr=False)
for answer in sys.argv[2:]:
    name, value = answer.split("=")
    menu.syms[name].set_value(value)
for option in menu.unique_defined_syms:
    if option.str_value == "y":
        print(option.name)
unknown = [name for name, option in menu.syms.items() if not option.nodes and name.startswith("BR2_")]
unmet = [
    option.name
    for option in menu.unique_defined_syms
    if option.str_value == "y" and kconfiglib.expr_value(option.direct_dep) == 0
]
for complaint in menu.warnings + [f"{name} is not known" for name in unknown] + [f"{name} is on without what it needs" for name in unmet]:
    print(complaint, file=sys.stderr)
sys.exit(1 if menu.warnings or unknown or unmet else 0)
