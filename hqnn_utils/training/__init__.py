"""Training: the loop, its settings, checkpoints, augmentation, and predictions of a trained model.

Nothing here sees the test set: ``fit`` takes training and validation data only.
"""

from hqnn_utils.training.config import TrainConfig, TrainingError
from hqnn_utils.training.loop import FitResult, fit, has_learned
from hqnn_utils.training.predict import evaluate, predict_logits, predict_proba, score_predictions

__all__ = [
    "FitResult",
    "TrainConfig",
    "TrainingError",
    "evaluate",
    "fit",
    "has_learned",
    "predict_logits",
    "predict_proba",
    "score_predictions",
]
