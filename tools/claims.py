"""Print the claims of all chapters with their verdicts; exit 1 if one does not hold.

    python tools/claims.py [NAME ...]

What is read is the stored output: the same records as the page "Claims" shows.
"""

import argparse
import sys

from notebooks import CLAIM, chosen, read, records


def value(x):
    """Return a recorded number, text, list or dict as it is read."""
    if isinstance(x, dict):
        return ", ".join(f"{k}: {value(v)}" for k, v in x.items())
    if isinstance(x, list):
        return "[" + ", ".join(map(value, x)) + "]"
    if isinstance(x, float):
        return f"{x:.4g}".replace("-", "\N{MINUS SIGN}")
    return str(x)


def facts(claim):
    """Return what a claim rests on, in words."""
    parts = [f"measured {value(claim['measured'])}"]
    for key in ("expected", "tolerance"):
        if claim[key] is not None:
            parts.append(f"{key} {value(claim[key])}")
    if claim["seeds"]:
        parts.append(f"{claim['seeds']} seeds")
    if claim.get("why_one"):
        parts.append(f"one suffices: {claim['why_one']}")
    if claim.get("recorded"):
        parts.append(f"recorded in data/results/{claim['recorded']}.csv")
    return "; ".join(parts)


def false(claims):
    """Return the claims that may not stand: those whose verdict is not "holds"."""
    return [claim for claim in claims if claim["verdict"] != "holds"]


def summary(claims):
    """Count claims, of either kind, and those that hold, in a sentence."""
    math = sum(claim["kind"] == "math" for claim in claims)
    return (
        f"{len(claims)} claims, {math} of mathematics and {len(claims) - math} of"
        f" experience: {len(claims) - len(false(claims))} hold"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="chapters (default: all)")
    asked = parser.parse_args(argv)
    paths = chosen(parser, asked.names)
    every = []
    for name, path in paths.items():
        claims = records(read(path), CLAIM)
        every += claims
        print(f"\n{name}")
        for claim in claims:
            print(f"  {claim['verdict']:6} {claim['id']}: {claim['statement']}")
            print(f"         {claim['kind']}, scale {claim['scale']}; {facts(claim)}")
    print("\n" + summary(every))
    if bad := false(every):
        sys.exit(f"do not hold: {', '.join(claim['id'] for claim in bad)}")


if __name__ == "__main__":
    main()
