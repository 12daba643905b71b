"""Predicting with a net and its card: photo in, pictures and facts out (docs/predict.md). One file per kind of task."""

from __future__ import annotations

from .batch import predict_all
from .jobs import Job, find_jobs
from .predictor import Predictor
from .view import Options, Prediction

__all__ = ["Job", "Options", "Prediction", "Predictor", "find_jobs", "predict_all"]
