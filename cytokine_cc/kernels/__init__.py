"""The tests, as array functions over any leading axes; numpy and scipy.special only.

``TESTS`` maps each name to its entry; to add a test, write a function and an entry at the foot of the same file.
"""

from .brunner_munzel import BRUNNER_MUNZEL
from .censored_ranks import CENSORED_RANKS
from .common import Statistics, Test, hedges_g, moments, user_test
from .conditional import CONDITIONAL
from .independent import INDEPENDENT
from .linear import LINEAR
from .longitudinal import LONGITUDINAL
from .moderated import MODERATED
from .paired import PAIRED
from .ranks import RANKS
from .stratified import STRATIFIED
from .stratified_permutation import STRATIFIED_PERMUTATION
from .tobit import TOBIT
from .tobit_paired import TOBIT_PAIRED

TESTS: dict[str, Test] = {
    **INDEPENDENT,
    **PAIRED,
    **RANKS,
    **LINEAR,
    **MODERATED,
    **TOBIT,
    **TOBIT_PAIRED,
    **BRUNNER_MUNZEL,
    **CENSORED_RANKS,
    **STRATIFIED,
    **STRATIFIED_PERMUTATION,
    **CONDITIONAL,
    **LONGITUDINAL,
}

__all__ = ["TESTS", "Statistics", "Test", "hedges_g", "moments", "user_test"]
