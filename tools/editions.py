"""Write a student's or an instructor's edition of the lectures.

    python tools/editions.py student|instructor [NAME ...] [--to FOLDER]

The student's notebooks have the exercises with their checks and hints, but neither the
solutions nor any output; the instructor's have both. Both are exported (see `export`):
they read well in Jupyter and Colab, which know nothing of the site's directives.
"""

import argparse

from export import options, run


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=("student", "instructor"))
    options(parser)
    asked = parser.parse_args(argv)
    whole = asked.kind == "instructor"
    run(parser, asked.kind, asked.names, asked.to, solutions=whole, outputs=whole)


if __name__ == "__main__":
    main()
