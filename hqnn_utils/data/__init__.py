"""Data: images and tables with labels, their loaders, splits and phantoms. Malignant = 1.

``datasets``         what a dataset is: images, or a table of features
``registry``         datasets by name: ``load_dataset("breastmnist")``
``medmnist_sets``    BreastMNIST and the other sets of MedMNIST
``medmnist_files``   their files: fetched, checked, read
``breakhis``         histology images with patients
``breakhis_names``   BreakHis's file names and folders
``breakhis_pixels``  its images, decoded and kept
``archive``          its archive, unpacked safely
``feature_tables``   tables of features
``options``          types and ranges of what loaders and protocols may be told
``splits``           every way to split, right ones and wrong ones
``phantoms``         synthetic images, where real ones cannot be had and for ground truth
"""

from hqnn_utils.data.breakhis import HistologyData, load_breakhis, phantom_patients
from hqnn_utils.data.datasets import CLASS_NAMES, SPLITS, Dataset, FeatureTable, ImageData
from hqnn_utils.data.feature_tables import load_wisconsin, make_table
from hqnn_utils.data.medmnist_files import SIZES
from hqnn_utils.data.medmnist_sets import load_breastmnist, load_medmnist
from hqnn_utils.data.registry import DATASETS, check_dataset, load_dataset

__all__ = [
    "CLASS_NAMES",
    "DATASETS",
    "SIZES",
    "SPLITS",
    "Dataset",
    "FeatureTable",
    "HistologyData",
    "ImageData",
    "check_dataset",
    "load_breakhis",
    "load_breastmnist",
    "load_dataset",
    "load_medmnist",
    "load_wisconsin",
    "make_table",
    "phantom_patients",
]
