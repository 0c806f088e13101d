"""Why to believe the figures of a report, and why not: one sentence each, from what was measured.

In: the subject, the leading part, what else is known.  Out: grounds for, against, and what nobody looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..dataset import Dataset
from ..health import HealthReport
from .subject import Part, Subject, shared
from .wording import Sentence, between, percent, pictures

Side = Literal["for", "against", "unknown"]
_ALWAYS = (
    (
        "The figures hold for pictures that come about as these did. Other cameras, places, years or kinds of subject "
        "were not measured."
    ),
    (
        "A picture of anything else than these classes is given one of them all the same; how sure the network then is "
        "was not measured."
    ),
    (
        "The interval says what another sample of this size could have given. It knows nothing of wrong labels, of "
        "pictures that belong together, or of choices made after looking at these figures."
    ),
)
_WIDE = 0.05  # an interval that reaches further than this to a side is worth a word


@dataclass(frozen=True)
class Ground:
    """One reason.

    Attributes:
        side: ``"for"`` believing the figures, ``"against"``, or ``"unknown"``: it was not looked at.
        what: The reason.
    """

    side: Side
    what: Sentence

    @property
    def word(self) -> str:
        """The side in a word that is read out."""
        return {"for": "For", "against": "Against", "unknown": "Not known"}[self.side]


def grounds(
    subject: Subject, lead: Part, parts: Sequence[Part], train: Dataset | None, health: HealthReport | None
) -> list[Ground]:
    """All grounds, those against the figures first: they are what a reader must not miss."""
    found = [
        *_chosen(subject, lead, parts),
        *_leaks(subject, lead, train),
        _against_chance(lead),
        _precision(lead),
        *_weakest(lead),
        _certainty(lead),
        *_trained_long_enough(subject),
        _healthy(health),
    ]
    order = ("against", "unknown", "for")
    return sorted(found, key=lambda ground: order.index(ground.side))


def _chosen(subject: Subject, lead: Part, parts: Sequence[Part]) -> Iterator[Ground]:
    fingerprint = subject.recorded("validation").get("fingerprint")
    validation = next(part for part in parts if part.name == "validation")
    same = validation.dataset.fingerprint == fingerprint
    if fingerprint is not None and not same:
        said = (
            "The validation pictures are not those by which the best epoch was chosen: one of them, a label or a key "
            "differs."
        )
        yield Ground("unknown", Sentence(said))
    if lead.name == "test":
        chosen = percent(validation.evaluation.accuracy)
        said = f"These are figures of test pictures. The best epoch was chosen by the validation pictures ({chosen})."
        yield Ground("for", Sentence(said))
    elif fingerprint is None:
        yield Ground("unknown", Sentence("It is not recorded by which pictures the classifier was chosen."))
    elif same:
        said = (
            "The best epoch was chosen by these same pictures, so new ones will be named a little less well. There is "
            "no test set that would say how much."
        )
        yield Ground("against", Sentence(said))


def _leaks(subject: Subject, lead: Part, train: Dataset | None) -> Iterator[Ground]:
    if train is None:
        said = "The training pictures were not given, so nobody looked whether some of them are measured again here."
        yield Ground("unknown", Sentence(said))
        return
    recorded = subject.recorded("train").get("fingerprint")
    if recorded is not None and train.fingerprint != recorded:
        said = "The training pictures given are not those of the run: one of them, a label or a key differs."
        yield Ground("unknown", Sentence(said))
    if count := int(shared(train, lead.dataset).sum()):
        said = f"{pictures(count)} of these were trained on: they are equal to a training picture, pixel by pixel."
        yield Ground("against", Sentence(said))
    else:
        said = f"None of these {pictures(len(lead.dataset))} is equal to a training picture, pixel by pixel."
        yield Ground("for", Sentence(said))


def _against_chance(lead: Part) -> Ground:
    name, share = lead.baseline
    low, _ = lead.evaluation.accuracy_interval
    said = f"Always answering {{}} would be right in {percent(share)}"
    if low > share:
        return Ground("for", Sentence(f"{said}, which is below the interval.", (name,)))
    return Ground("against", Sentence(f"{said}: nothing shows that the network is better than that.", (name,)))


def _precision(lead: Part) -> Ground:
    low, high = lead.evaluation.accuracy_interval
    count, points = pictures(len(lead.evaluation)), f"{100 * (high - low):.1f}"
    if (high - low) / 2 > _WIDE:
        return Ground("against", Sentence(f"{count} are few: the interval is {points} percentage points wide."))
    return Ground("for", Sentence(f"With {count} the interval is {points} percentage points wide."))


def _weakest(lead: Part) -> Iterator[Ground]:
    rows = [row for row in lead.evaluation.per_class().records() if row["pictures"]]
    if missing := [name for name, count in lead.dataset.class_counts().items() if not count]:
        more = f" and {len(missing) - 1} more classes" if len(missing) > 1 else ""
        yield Ground("unknown", Sentence(f"There is no picture of {{}}{more}: nothing is known of it.", (missing[0],)))
    worst = min(rows, key=lambda row: float(str(row["recall"])))
    recall, low, high = (float(str(worst[name])) for name in ("recall", "recall_from", "recall_to"))
    said = f"The weakest class, {{}}, is recognised in {percent(recall)} of its pictures ({between((low, high))})"
    if high < lead.evaluation.accuracy or recall < lead.evaluation.accuracy / 2:
        yield Ground("against", Sentence(f"{said}: clearly less than the whole.", (str(worst["class"]),)))
    else:
        yield Ground("for", Sentence(f"{said}: no class falls out.", (str(worst["class"]),)))


def _certainty(lead: Part) -> Ground:
    found, accuracy = lead.calibration, lead.evaluation.accuracy
    said = f"On average it is {percent(found.confidence)} sure and right in {percent(accuracy)}"
    error = f"expected calibration error {found.error:.3f}"
    if found.error <= found.chance:
        return Ground("for", Sentence(f"{said}; its certainty can be taken at its word ({error}, within chance)."))
    word = "more sure than right" if found.confidence > accuracy else "less sure than right"
    if abs(found.confidence - accuracy) < 0.01:
        word = "its certainty is right on average, but not where it is high or low"
    return Ground("against", Sentence(f"{said}: {word} ({error}; chance explains {found.chance:.3f})."))


def _trained_long_enough(subject: Subject) -> Iterator[Ground]:
    run = subject.run
    if run is None:
        return
    wanted = subject.recipe.get("epochs")
    stopping = subject.recipe.get("early_stopping_patience") is not None
    if isinstance(wanted, int) and run.epochs < wanted and not stopping:
        said = f"The run is not finished: {run.epochs} of {wanted} epochs are trained."
        yield Ground("against", Sentence(said))
    elif run.best_epoch == run.epochs and run.epochs > 1:
        said = f"The best epoch is the last, {run.epochs}: more training might give more."
        yield Ground("unknown", Sentence(said))


def _healthy(health: HealthReport | None) -> Ground:
    if health is None:
        return Ground("unknown", Sentence("The data was not checked for broken files, near copies and odd labels."))
    errors, warnings = (sum(one.severity == kind for one in health.findings) for kind in ("error", "warning"))
    if not errors + warnings:
        return Ground("for", Sentence(f"The check of {pictures(health.count)} found nothing wrong with the data."))
    parts = [
        f"{count} {word}{'s' * (count != 1)}" for count, word in ((errors, "error"), (warnings, "warning")) if count
    ]
    said = f"The check of {pictures(health.count)} found {' and '.join(parts)}."
    return Ground("against", Sentence(said))


def limits(subject: Subject, lead: Part, train: Dataset | None, health: HealthReport | None) -> list[Sentence]:
    """What no figure of the report says."""
    texts = list(_ALWAYS)
    if subject.run is not None or subject.recipe:
        texts.append("One run with one seed was measured. Another seed gives another network, and other figures.")
    if lead.name == "validation":
        texts.append("No test set was measured.")
    if train is None or health is None:
        texts.append("Near copies of training pictures may be among these, which flatters; nobody looked for them.")
    texts.append("Explanation maps show where the network looked, not whether it was right to.")
    return [Sentence(text) for text in texts]
