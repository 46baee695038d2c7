"""The list of smoothing methods, and the way from a name to a method.

Tests, choices at the command line and `docs/smoothing.md` read the list. Read
`reference.py` next.
"""

from collections.abc import Sequence

from ngram.errors import InputError
from ngram.smoothing.absolute_discounting import (
    AbsoluteDiscounting,
    AbsoluteDiscountingBackoff,
)
from ngram.smoothing.additive import Additive, AdditiveBackoff, Dirichlet
from ngram.smoothing.contract import SmoothingMethod
from ngram.smoothing.discounting import Discounting
from ngram.smoothing.jelinek_mercer import JelinekMercer
from ngram.smoothing.katz import Katz
from ngram.smoothing.kneser_ney import KneserNey, KneserNeyBackoff
from ngram.smoothing.maximum_likelihood import MaximumLikelihood
from ngram.smoothing.modified_kneser_ney import (
    ModifiedKneserNey,
    ModifiedKneserNeyBackoff,
    TunedModifiedKneserNey,
)
from ngram.smoothing.stupid_backoff import StupidBackoff
from ngram.smoothing.witten_bell import WittenBell, WittenBellBackoff

DEFAULT = ModifiedKneserNey.name

METHODS: dict[str, type[SmoothingMethod]] = {
    method.name: method
    for method in (
        MaximumLikelihood,
        Additive,
        AdditiveBackoff,
        Dirichlet,
        AbsoluteDiscounting,
        AbsoluteDiscountingBackoff,
        KneserNey,
        KneserNeyBackoff,
        ModifiedKneserNey,
        ModifiedKneserNeyBackoff,
        TunedModifiedKneserNey,
        WittenBell,
        WittenBellBackoff,
        Katz,
        JelinekMercer,
        StupidBackoff,
    )
}
ALIASES = {"laplace": "additive:delta=1", "jeffreys": "additive:delta=0.5"}


def smoothing_method(
    smoothing: "str | SmoothingMethod" = DEFAULT,
    *,
    discount_fallback: Sequence[float] | None = None,
    strict: bool = False,
) -> SmoothingMethod:
    """Return the smoothing method that is meant.

    Parameters
    ----------
    smoothing : str or SmoothingMethod
        A name of `METHODS`, which options may follow as in "additive:delta=0.1" or
        "modified-kneser-ney:discounts=0.5/1/1.5"; or a method.
    discount_fallback : sequence of 1 to 3 float, optional
    strict : bool, default=False
        Arguments of the methods that discount counts.

    Returns
    -------
    SmoothingMethod

    Raises
    ------
    InputError
        If there is no such method or option, or an option is out of range.

    Examples
    --------
    >>> smoothing_method("additive:delta=0.1")
    Additive(delta=0.1)
    """
    shared = {"discount_fallback": discount_fallback, "strict": strict}
    shared = {name: value for name, value in shared.items() if value}
    if isinstance(smoothing, SmoothingMethod):
        if shared:
            raise InputError(
                f"`{next(iter(shared))}` is given beside a smoothing method: pass it to"
                f" {type(smoothing).__name__} instead."
            )
        return smoothing
    if not isinstance(smoothing, str):
        raise InputError(
            f"smoothing is {smoothing!r}: pass a name of ngram.smoothing.METHODS, or a"
            " method."
        )
    name, _, options = ALIASES.get(smoothing, smoothing).partition(":")
    if name not in METHODS:
        raise InputError(
            f"smoothing is {smoothing!r}: there is no such method. Pass one of"
            f" {', '.join([*METHODS, *ALIASES])}."
        )
    method = METHODS[name]
    unused = [] if issubclass(method, Discounting) else [*shared]
    if method is TunedModifiedKneserNey and strict:
        unused = ["strict"]
    if unused:
        raise InputError(
            f"`{unused[0]}` has no effect with smoothing={smoothing!r}. Leave one of"
            " the two out."
        )
    return method(**_options(method, options), **shared)


def _options(method: type[SmoothingMethod], text: str) -> dict[str, object]:
    """Return the options written behind a name: "delta=0.1"."""
    options: dict[str, object] = {}
    for option in text.split(",") if text else ():
        name, _, value = option.partition("=")
        if name not in method.options:
            known = ", ".join(method.options) or "none"
            raise InputError(
                f"{option!r} is no option of the smoothing method {method.name!r}; its"
                f" options: {known}. Write name=number, with commas between several."
            )
        try:
            rows = tuple(
                tuple(map(_number, row.split("/"))) for row in value.split(";")
            )
        except ValueError:
            raise InputError(
                f"{name} of the smoothing method {method.name!r} is {value!r}: write a"
                " number, or several as in 0.5/1/1.5, and rows as in 0.5/1;0.7/1.2."
            ) from None
        row = rows[0] if len(rows) == 1 else rows
        options[name] = row[0] if len(rows) == len(rows[0]) == 1 else row
    return options


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
