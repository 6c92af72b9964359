"""What the attacks leave out, and a check of their own."""

from urllib.parse import urlencode

import schemathesis
from schemathesis import GenerationMode

# A request whose head has more than 32 KiB, other headers included, gets no answer: its connection is closed.
LONGEST_ADDRESS = 30_000


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what isn't read as HTTP."""
    try:
        return len(urlencode(case.query or {}, doseq=True)) < LONGEST_ADDRESS
    except (TypeError, ValueError):
        return True


@schemathesis.check
def what_the_description_allows_is_refused_only_for_what_it_cannot_say(ctx, response, case):
    """A request that fits may be refused by its meaning, not by its form."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE or response.status_code != 400:
        return
    answer = response.json()
    if answer["Reason"] in ("conflicting_parameter", "missing_parameter"):
        # One name in the query and in the body, or names of which exactly one is wanted.
        return
    if "configured organisation" in answer["Error"]:
        # Which one that is, the description doesn't know.
        return
    if (case.query or {}).get("team") == "*" or (isinstance(case.body, dict) and case.body.get("team") == "*"):
        # For administrators alone, of whom the demo has none.
        return
    raise AssertionError(f"it fits the description, and was refused: {answer['Error']}")
