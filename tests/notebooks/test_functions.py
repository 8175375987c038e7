"""Functions that a notebook builds and then relies on, each beside an outside judge."""

import math
from itertools import combinations

import crepes
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pennylane as qp
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Circle, Rectangle
from scipy.linalg import eigh
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from scipy.stats import bootstrap
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from written_in import written_in

from hqnn_utils.data import load_breastmnist
from hqnn_utils.evaluation import calibration
from hqnn_utils.models.cores import CosineLayer
from hqnn_utils.quantum import CircuitSpec, QuantumLayer, expectations, init_weights

# ---------------------------------------------------------------- notebook 01: images


@pytest.fixture(scope="module")
def ultrasound():
    return written_in("01", REPEATS=1)


@pytest.fixture
def data(medmnist_file):
    return load_breastmnist(source=medmnist_file)


def shown_ids(figure):
    return [axis.get_title().split("\n")[1] for axis in figure.axes if axis.get_title()]


def test_image_grid_shows_each_class_in_its_row(ultrasound, data):
    figure = ultrasound["image_grid"](data, 3, seed=0, title="some images")
    names = [axis.get_title().split("\n")[0] for axis in figure.axes]
    assert names == ["malignant"] * 3 + ["benign or normal"] * 3
    for axis, shown in zip(figure.axes, shown_ids(figure), strict=True):
        (index,) = np.flatnonzero(data.ids == shown)
        assert (axis.images[0].get_array() == data.images[index]).all()
        assert axis.images[0].get_clim() == (0, 255), "grey means the same in every image"
        assert not axis.axison
    assert len(set(shown_ids(figure))) == 6
    assert figure.get_suptitle() == "some images"
    assert plt.get_fignums() == [], "a returned figure is shown once by the notebook, not twice"


def test_image_grid_says_phantom(ultrasound):
    phantom = load_breastmnist(source="phantom")
    figure = ultrasound["image_grid"](phantom, 3, seed=0, title="some images")
    assert figure.get_suptitle() == "PHANTOM (synthetic images): some images"


def test_image_grid_draws_by_its_seed(ultrasound, data):
    first, again, other = (ultrasound["image_grid"](data, 3, seed, "") for seed in (0, 0, 1))
    assert shown_ids(first) == shown_ids(again) != shown_ids(other)


def test_image_grid_leaves_places_empty_where_a_class_is_small(ultrasound, data):
    few = data.take(np.r_[np.flatnonzero(data.labels == 1)[:2], np.flatnonzero(data.labels == 0)])
    figure = ultrasound["image_grid"](few, 6, seed=0, title="")
    assert [len(axis.images) for axis in figure.axes] == [1, 1, 0, 0, 0, 0] + [1] * 6


def test_image_grid_shows_no_image_twice(ultrasound, data):
    six = data.take(np.concatenate([np.flatnonzero(data.labels == label)[:6] for label in (0, 1)]))
    figure = ultrasound["image_grid"](six, 6, seed=0, title="")
    assert sorted(shown_ids(figure)) == sorted(six.ids)


# ---------------------------------------------------------------- notebook 02: judging


@pytest.fixture(scope="module")
def judging():
    return written_in("02")


def texts(figure):
    return [t for t in figure.axes[0].texts if t.get_text()]


def test_a_drawing_of_resamples_is_readable(judging):
    """No text runs into another or over the edge."""
    values = np.array([1, 1, 0, 1, 0, 1, 1, 1])
    figure = judging["draw_resamples"](values, 3, 0, "share right", "With replacement")
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [t.get_window_extent(renderer) for t in texts(figure)]
    assert len(found) == 4 * 8 + 2 * 4 + 1
    assert not any(a.overlaps(b) for a, b in combinations(found, 2))
    assert all(figure.bbox.contains(*corner) for box in found for corner in box.corners())
    assert plt.get_fignums() == []


def test_a_resample_draws_as_many_images_from_the_sample(judging):
    values = np.array([1, 1, 0, 1, 0, 1])
    figure = judging["draw_resamples"](values, 4, 3, "share right", "")
    letters = [t for t in texts(figure) if len(t.get_text()) == 1]
    assert len(letters) == 5 * 6
    rows = {}
    for letter in letters:
        rows.setdefault(round(letter.get_position()[1], 3), []).append(letter.get_text())
    first, *others = rows.values()
    assert first == list("ABCDEF")
    assert all(set(row) <= set("ABCDEF") for row in others)
    assert all(row == sorted(row) for row in others), "one that came again stands beside itself"
    assert len({tuple(row) for row in others}) > 1
    assert any(len(set(row)) < 6 for row in others), "some came again"
    shown = [t.get_text() for t in texts(figure) if t.get_text().startswith("share right")]
    means = [values[[ord(c) - ord("A") for c in row]].mean() for row in rows.values()]
    assert shown == [f"share right {mean:.2f}" for mean in means]


def test_marks_say_what_is_known_of_an_image_and_that_it_came_again(judging):
    def marks(values, rows, seed=0):
        figure = judging["draw_resamples"](np.array(values), rows, seed, "accuracy", "")
        letters = [t.get_text() for t in texts(figure) if len(t.get_text()) == 1]
        return figure.axes[0].patches, letters

    assert [type(mark) for mark in marks([1, 0, 1], 0)[0]] == [Circle, Rectangle, Circle]
    assert [mark.get_linewidth() for mark in marks([1], 1)[0]] == [0.4, 0.4]
    again = set()
    for seed in range(8):
        drawn, letters = marks([1, 1], 1, seed)
        again.add(letters[2] == letters[3])
        wanted = [0.4, 2.2 if letters[2] == letters[3] else 0.4]
        assert [mark.get_linewidth() for mark in drawn[2:]] == wanted
    assert again == {True, False}


RNG = np.random.default_rng(0)
CHANCES = RNG.random(300)
TRUTH = (RNG.random(300) < CHANCES**2).astype(int)


def test_temperature_divides_the_logits(judging):
    found = judging["apply_temperature"](np.array([0.2, 0.5, 0.9]), 2.5)
    np.testing.assert_allclose(found, expit(logit([0.2, 0.5, 0.9]) / 2.5))
    np.testing.assert_allclose(judging["apply_temperature"](CHANCES, 1.0), CHANCES)
    ends = judging["apply_temperature"](np.array([0, 1]), 1.0)  # they have no finite logit
    np.testing.assert_allclose(logit(ends), [logit(1e-12), -logit(1e-12)], rtol=1e-4)


def test_the_fitted_temperature_has_the_least_log_loss(judging):
    found = judging["fit_temperature"](TRUTH, CHANCES)
    near = (0.98 * found, found, 1.02 * found)
    scaled = {t: log_loss(TRUTH, expit(logit(CHANCES) / t)) for t in near}
    assert min(scaled, key=scaled.get) == found
    judge = minimize_scalar(lambda t: log_loss(TRUTH, expit(logit(CHANCES) / t)), bracket=(0.5, 2))
    assert found == pytest.approx(judge.x, rel=1e-3)
    assert type(found) is float


def test_a_fitted_temperature_undoes_a_known_one(judging):
    p = np.tile(CHANCES, 10)
    labels = (np.random.default_rng(1).random(len(p)) < p).astype(int)  # p is calibrated for these
    too_sure = judging["apply_temperature"](p, 0.4)
    found = judging["fit_temperature"](labels, too_sure)
    assert found == pytest.approx(2.5, rel=0.1)
    cooled = judging["apply_temperature"](too_sure, found)
    assert calibration.ece(labels, cooled) < 0.5 * calibration.ece(labels, too_sure)
    assert np.array_equal(np.argsort(cooled), np.argsort(too_sure)), "the order stays"


def test_the_fitted_temperature_is_bounded(judging):
    perfect, hopeless = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.9, 0.8, 0.2, 0.1])
    fit = judging["fit_temperature"]
    assert fit([0, 0, 1, 1], perfect) == pytest.approx(0.05, rel=0.02)
    assert fit([0, 0, 1, 1], hopeless) == pytest.approx(20, rel=0.02)
    assert fit([1, 1, 1], np.array([0.4, 0.3, 0.2])) == pytest.approx(20, rel=0.02)


# ---------------------------------------------------------------- notebook 07: circuits for images


@pytest.fixture(scope="module")
def images():
    three = 2 * np.pi * np.arange(3) / 3
    cnot = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    back = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]])
    return written_in("07", THREE=three, CNOT=cnot, CNOT_BACK=back)


@pytest.mark.parametrize("rotation", ["RY", "Rot"])
def test_a_circuit_with_single_rotations_is_a_table(images, rotation):
    spec = CircuitSpec(3, 2, axis="X", rotation=rotation, observable="ZZ")
    weights = init_weights(spec, generator=torch.Generator().manual_seed(1)).double()

    def circuit(angles):
        return expectations(spec, torch.as_tensor(angles), weights).numpy()

    angles = np.random.default_rng(0).normal(size=(40, 3))
    table = images["table_of"](circuit, 3)
    assert table.shape == (27, 3)
    assert np.allclose(images["products"](angles) @ table, circuit(angles), atol=1e-12)


def test_a_circuit_with_reuploading_is_no_such_table(images):
    spec = CircuitSpec(2, 2, reupload=True)
    weights = init_weights(spec, generator=torch.Generator().manual_seed(1)).double()

    def circuit(angles):
        return expectations(spec, torch.as_tensor(angles), weights).numpy()

    angles = np.random.default_rng(0).normal(size=(40, 2))
    found = images["products"](angles) @ images["table_of"](circuit, 2)
    assert np.abs(found - circuit(angles)).max() > 0.05


def test_qcnn_and_its_twin_have_one_wiring(images):
    steps = images["wiring"](8)
    kinds = [kind for _, kind, _, _ in steps]
    assert (kinds.count("mix"), kinds.count("pool")) == (13, 7)
    gone = []
    for _, kind, i, j in steps:
        assert not {i, j} & set(gone), "a forgotten qubit takes no part any more"
        gone += [i] if kind == "pool" else []
    assert len(gone) == 7


@pytest.mark.parametrize("n", [2, 4])
def test_qcnn_is_pennylanes(images, n):
    """Gate by gate on small registers, the pooling as controlled rotations."""

    @qp.qnode(qp.device("default.qubit", wires=n))
    def judge(weights, angles):
        for qubit in range(n):
            qp.RY(angles[qubit], wires=qubit)
        for stage, kind, i, j in images["wiring"](n):
            a, b, c, d, if_zero, if_one = weights[stage]
            if kind == "mix":
                for first, second, control, target in ((a, b, i, j), (c, d, j, i)):
                    qp.RY(first, wires=i)
                    qp.RY(second, wires=j)
                    qp.CNOT(wires=[control, target])
            else:
                qp.ctrl(qp.RY(if_zero, wires=j), control=i, control_values=0)
                qp.ctrl(qp.RY(if_one, wires=j), control=i)
        return qp.expval(qp.Z(j))

    rng = np.random.default_rng(n)
    weights, angles = rng.normal(size=(int(np.log2(n)), 6)), rng.normal(size=(3, n))
    found = images["qcnn"](torch.tensor(weights).float(), torch.tensor(angles).float())
    assert np.allclose(found, [judge(weights, row) for row in angles], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_geometric_difference_bounds_the_complexity_for_any_labels(images, seed):
    """y' Kc^-1 y <= g^2 y' Kq^-1 y (Huang et al., arXiv 2011.01938), attained by some labels."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(6, 2))
    classical, quantum = images["rbf"](x, 0.5), images["rbf"](np.sin(3 * x), 2.0)
    g = images["geometric_difference"](classical, quantum, 0.0)
    labels = rng.normal(size=(500, 6))
    by_classical = np.einsum("ij,jk,ik->i", labels, np.linalg.inv(classical), labels)
    by_quantum = np.einsum("ij,jk,ik->i", labels, np.linalg.inv(quantum), labels)
    assert (by_classical <= g**2 * by_quantum * (1 + 1e-9)).all()
    hardest = eigh(np.linalg.inv(classical), np.linalg.inv(quantum))[1][:, -1]
    ratio = (hardest @ np.linalg.solve(classical, hardest)) / (
        hardest @ np.linalg.solve(quantum, hardest)
    )
    assert ratio == pytest.approx(g**2, rel=1e-6)
    assert images["geometric_difference"](quantum, quantum, 0.0) == pytest.approx(1)


def test_bloch_arrows_are_pennylanes(images):
    states = images["iqp_states"](np.random.default_rng(2).normal(size=(4, 3)))
    found = images["arrows"](states).reshape(4, 3, 3)
    for qubit in range(3):
        rho = qp.math.reduce_statevector(states, indices=[qubit])
        for k, pauli in enumerate((qp.X(0), qp.Y(0), qp.Z(0))):
            truth = np.trace(rho @ qp.matrix(pauli), axis1=1, axis2=2).real
            assert np.allclose(found[:, qubit, k], truth)


# ---------------------------------------------------------------- notebook 09: patients

Y = np.array([1, 1, 1, 1, 0, 0, 1, 0])
P = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.6, 0.3, 0.4])
WHO = np.array(["a", "a", "a", "a", "b", "b", "c", "d"])


@pytest.fixture(scope="module")
def histology():
    return written_in("09", SEED=0)


def hospital(seed=0, n=36, patients=7):
    """Labels, two models with ties, and patients in no order; odd patients are malignant."""
    rng = np.random.default_rng(seed)
    who = rng.permutation(np.arange(n) % patients)
    a, b = rng.choice(np.linspace(0, 1, 11), (2, n))
    return who % 2, a, b, who


def by_writing_out(y, p, who, chosen):
    """The scores of the chosen patients, repeats allowed, image by image."""
    index = [np.flatnonzero(who == patient) for patient in chosen]
    images = np.concatenate(index)
    rates = np.array([((p[i] >= 0.5) == y[i]).mean() for i in index])
    means, labels = np.array([p[i].mean() for i in index]), np.array([y[i][0] for i in index])
    both, nan = len(set(labels)) == 2, float("nan")
    return {
        "image_accuracy": ((p[images] >= 0.5) == y[images]).mean(),
        "recognition_rate": rates.mean(),
        "balanced_recognition_rate": (rates[labels == 0].mean() + rates[labels == 1].mean()) / 2
        if both
        else nan,
        "patient_accuracy": ((means >= 0.5) == labels).mean(),
        "image_auc": roc_auc_score(y[images], p[images]) if both else nan,
        "patient_auc": roc_auc_score(labels, means) if both else nan,
    }


def test_patient_scores_by_hand(histology):
    patients = histology["patients_of"](Y, P, WHO)
    assert [label for label, _ in patients] == [1, 0, 1, 0]
    assert histology["patient_scores"](patients) == pytest.approx(
        {
            "image_accuracy": 5 / 8,
            "recognition_rate": (3 / 4 + 1 / 2 + 0 + 1) / 4,
            "balanced_recognition_rate": ((1 / 2 + 1) / 2 + (3 / 4 + 0) / 2) / 2,
            "patient_accuracy": 3 / 4,  # means .65, .35, .3, .4: c is wrong
            "image_auc": roc_auc_score(Y, P),
            "patient_auc": 2 / 4,
        }
    )


def test_a_probability_at_the_threshold_is_malignant(histology):
    patients = histology["patients_of"](
        np.array([1, 1, 0]), np.array([0.5, 0.5, 0.4]), np.array(["a", "a", "b"])
    )
    found = histology["patient_scores"](patients)
    assert found["image_accuracy"] == found["patient_accuracy"] == found["recognition_rate"] == 1


@pytest.mark.parametrize("patients", [4, 7])
def test_resampled_patients_against_images_written_out(histology, patients):
    y, p, _, who = hospital(patients=patients)
    drawn = np.random.default_rng(4).integers(0, patients, (40, patients))
    wanted = pd.DataFrame([by_writing_out(y, p, who, chosen) for chosen in drawn])
    if patients == 4:
        assert wanted["image_auc"].isna().any(), "a resample with one class"
    found = histology["resampled"](y, p, who, 40, seed=4)
    pd.testing.assert_frame_equal(found, wanted)
    spans = histology["percentile_interval"](found, level=0.9)
    for name in wanted:
        assert spans[name].tolist() == pytest.approx(np.nanquantile(wanted[name], [0.05, 0.95]))


def test_differences_are_paired(histology):
    y, a, b, who = hospital(1)
    of_a, of_b, again = (histology["resampled"](y, p, who, 50) for p in (a, b, a))
    assert (of_a - again).abs().max().max() == 0, "whoever is drawn"
    drawn = np.random.default_rng(0).integers(0, 7, (50, 7))
    gap = [
        by_writing_out(y, a, who, row)["recognition_rate"]
        - by_writing_out(y, b, who, row)["recognition_rate"]
        for row in drawn
    ]
    assert (of_a - of_b)["recognition_rate"].tolist() == pytest.approx(gap)


def test_one_image_a_patient_is_the_ordinary_bootstrap(histology):
    right = np.repeat([1.0, 0.0], [30, 10])
    rows = histology["resampled"](np.ones(40, int), right, np.arange(40), 4000)
    theirs = bootstrap((right,), np.mean, n_resamples=4000, method="percentile", rng=0)
    span = histology["percentile_interval"](rows)["image_accuracy"].tolist()
    assert span == pytest.approx(list(theirs.confidence_interval), abs=0.03)


def test_copies_of_an_image_add_no_information(histology):
    """Resampling patients sees that, counting images does not."""
    rng = np.random.default_rng(1)
    y = np.tile([0, 1], 15)
    p = np.clip(0.5 + 0.25 * (y - 0.5) + rng.normal(0, 0.25, 30), 0.01, 0.99)
    once = histology["resampled"](y, p, np.arange(30), 200)
    y, p, who = (np.repeat(values, 10) for values in (y, p, np.arange(30)))
    clustered = histology["resampled"](y, p, who, 200)
    pd.testing.assert_frame_equal(clustered, once)
    images = histology["resampled"](y, p, np.arange(300), 200)
    narrow, wide = (
        np.ptp(histology["percentile_interval"](rows)["image_accuracy"])
        for rows in (images, clustered)
    )
    assert wide > 2 * narrow


def test_an_interval_covers_the_truth_about_as_often_as_it_says(histology):
    """Simulated studies with 40 patients whose images agree."""
    rng, hits = np.random.default_rng(2), []
    who, label = np.repeat(np.arange(40), 5), np.repeat(np.arange(40) % 2, 5)
    for study in range(40):
        skill = rng.beta(3, 1, 40)  # a patient's chance that an image is right; mean 0.75
        right = rng.random(200) < skill[who]
        p = np.where(right, label, 1 - label).astype(float)
        rows = histology["resampled"](label, p, who, 100, seed=study)
        low, high = histology["percentile_interval"](rows)["recognition_rate"]
        hits.append(low <= 0.75 <= high)
    assert 0.85 <= np.mean(hits) <= 1


def test_a_chosen_threshold_is_as_good_as_any(histology):
    """Against all thresholds of a fine grid, written out with pandas."""
    y, p, _, who = hospital(3, n=50, patients=9)

    def rate(t):
        table = pd.DataFrame({"y": y, "who": who, "right": (p >= t) == y})
        return table.groupby(["y", "who"])["right"].mean().groupby("y").mean().mean()

    found = rate(histology["choose_threshold"](y, p, who))
    assert found == pytest.approx(max(rate(t) for t in np.linspace(0, 1.01, 405)))
    scores = histology["patient_scores"](histology["patients_of"](y, p, who), threshold=0.37)
    assert scores["balanced_recognition_rate"] == pytest.approx(rate(0.37))


def test_a_comparison_with_a_constant_is_void(histology):
    constant, other = np.array([True] * 4), np.array([True, False, True, True])
    assert histology["verdict"](constant, constant, 0.0, 0.0).startswith("void: both")
    assert histology["verdict"](other, constant, 0.1, 0.4).startswith("void: one")
    assert histology["verdict"](other, other, -0.1, 0.4) == "undecided"
    assert histology["verdict"](other, ~other, 0.1, 0.4) == "zero is outside"


def test_dyes_are_separated_and_put_together_again(histology):
    """scikit-image is the judge; it divides densities by six and cuts below zero."""
    from skimage.color import rgb2hed, rgb_from_hed

    light = np.random.default_rng(0).uniform(0.05, 1, (6, 5, 3))
    amounts = histology["separate"](light, rgb_from_hed)
    assert np.allclose(np.maximum(amounts / 6, 0), rgb2hed(light))
    assert np.allclose(histology["dye"](amounts, rgb_from_hed), light)


def test_the_nearest_image_is_scikit_learns(histology):
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(5)
    x, ids = rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    index = NearestNeighbors(n_neighbors=2).fit(x).kneighbors(x)[1][:, 1]
    assert histology["nearest"](x, ids) == np.mean(ids[index] == ids)
    other = ids[:, None] != ids[None]
    assert histology["nearest"](x, ids, other) == 0, "all images of the same id are left out"
    shuffled = [np.mean(rng.permutation(ids) == ids) for _ in range(4000)]
    # of two draws without replacement: a little below the share with itself allowed
    assert histology["by_chance"](ids) == pytest.approx(np.mean(shuffled), abs=0.03)


# ---------------------------------------------------------------- notebook 05: circuits as lists


@pytest.fixture(scope="module")
def lab():
    factors = {"Y": torch.tensor([-1j, 1j]), "Z": torch.tensor([1.0, -1.0])}
    return written_in("05", SEED=0, FACTORS=factors, ROT="ZYZ")


@pytest.mark.parametrize(
    "name", ["ring", "bricks", "strong", "real", "tree", "staircase", "mirror"]
)
@pytest.mark.parametrize("n", [2, 5])
def test_lists_of_gates_give_pennylanes_values(lab, name, n):
    gates = lab[name](n)
    w, x = lab["random_angles"](2, lab["n_weights"](gates)), lab["random_angles"](2, n, seed=1)

    @qp.qnode(qp.device("default.qubit", wires=n))
    def judge(w, x):
        for gate, qubits, slot in gates:
            if slot:
                qp.PauliRot({"w": w, "x": x}[slot[0]][int(slot[1:])], gate[1:], wires=qubits)
            else:
                getattr(qp, gate)(wires=qubits)
        return [qp.expval(qp.Z(q)) for q in range(n)]

    found = lab["z_of"](lab["run"](gates, lab["zeros"](2, n), w=w, x=x), range(n))
    wanted = [judge(*row) for row in zip(w.numpy(), x.numpy(), strict=True)]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_a_mirrored_image_changes_nothing_in_the_mirror_design(lab):
    """Features 3 and 7 change their sign; so does an output of a circuit without the symmetry."""
    x = lab["random_angles"](4, 8)
    mirrored = x.clone()
    mirrored[:, [3, 7]] *= -1
    for name, same in (("mirror", True), ("strong", False)):
        gates = lab[name](8)
        w = lab["random_angles"](1, lab["n_weights"](gates)).expand(4, -1)
        here, there = (
            lab["z_of"](lab["run"](gates, lab["zeros"](4, 8), w=w, x=v), range(8))
            for v in (x, mirrored)
        )
        assert torch.allclose(here, there, atol=1e-9) == same


@pytest.mark.parametrize("n", [2, 3, 4])
def test_sizes_of_lie_algebras(lab, n):
    """RX ring: all products of X; RY and CZ: twice so(n + 1); RZ and RXX: so(2n); strong: all."""
    wanted = {"ring": 2**n - 1, "real": n * (n + 1), "strong": 4**n - 1}
    wanted["free_fermions"] = n * (2 * n - 1)
    for name, size in wanted.items():
        assert len(lab["closure"](lab["generators"](lab[name](n, 8), n))) == size, name


def test_bits_and_matrices_make_the_same_lie_algebra(lab):
    products = lab["generators"](lab["unplanned"](3, 2), 3)
    matrices = [lab["as_matrix"](product) for product in products]
    assert lab["algebra_dimension"](matrices) == len(lab["closure"](products))


def test_divergence_and_entanglement_by_hand(lab):
    same = lab["zeros"](10, 2)
    orthogonal = same.clone()
    orthogonal[5:] = orthogonal[5:].flip(1)  # fidelity 0: all pairs lie in the first of 75 bins
    assert lab["divergence"](orthogonal) == pytest.approx(-math.log(1 - (1 - 1 / 75) ** 3))
    bell = torch.tensor([[[1, 0], [0, 1]], [[1, 0], [0, 0]]], dtype=torch.complex128)
    bell[0] /= math.sqrt(2)
    assert lab["entanglement"](bell).tolist() == pytest.approx([1, 0])


# ---------------------------------------------------------------- notebook 11: looking inside


@pytest.fixture(scope="module")
def inside():
    return written_in("11", SEED=0)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.25])
def test_conformal_sets_are_those_of_crepes(inside, alpha):
    """crepes is asked by this test only: the page needs no further package."""
    rng = np.random.default_rng(2)
    y, p = rng.integers(0, 2, 78), rng.random(78)
    new = rng.random(200)
    both = np.stack([1 - p, p], axis=1)
    judge = crepes.ConformalClassifier().fit(1 - both[np.arange(78), y])
    theirs = judge.predict_set(
        np.stack([new, 1 - new], axis=1), confidence=1 - alpha, smoothing=False
    )
    limit = inside["threshold"](y, p, alpha)
    assert np.array_equal(inside["sets"](new, limit, limit), np.asarray(theirs, bool))


def test_conformal_promise_is_kept_on_average_and_no_better(inside):
    """Coverage over many calibration sets: ceil((n + 1)(1 - alpha)) / (n + 1)."""
    rng = np.random.default_rng(4)
    covered = []
    for _ in range(1500):
        p = rng.random(20)
        y = (rng.random(20) < p).astype(int)
        limit = inside["threshold"](y[:19], p[:19], 0.1)
        covered.append(inside["sets"](p[19:], limit, limit)[0, y[19]])
    assert np.mean(covered) == pytest.approx(0.9, abs=0.025)


def test_bloch_vectors_are_pennylanes_expectation_values(inside):
    spec = CircuitSpec(n_qubits=3, n_layers=2, rotation="Rot", entangler="strong")
    generator = torch.Generator().manual_seed(1)
    weights, x = init_weights(spec, generator=generator).double(), torch.tensor([[0.3, -1.0, 2.0]])
    psi = inside["state"](spec, x.double(), weights)[0].detach().numpy()

    @qp.qnode(qp.device("default.qubit", wires=3))
    def judge(qubit):
        qp.StatePrep(psi, wires=range(3))
        return [qp.expval(pauli(qubit)) for pauli in (qp.X, qp.Y, qp.Z)]

    for qubit in range(3):
        assert np.allclose(inside["bloch"](psi, qubit), judge(qubit), atol=1e-12)


# --------------------------------------------------------- notebook 06: a layer with free weights


@pytest.mark.parametrize(
    "spec",
    [
        CircuitSpec(),
        CircuitSpec(reupload=True, scaling=0.5),
        CircuitSpec(n_qubits=3, rotation="RY", observable="ZZ"),
        CircuitSpec(n_qubits=2, axis="Y", gate="CZ", observable="parity"),
    ],
    ids=lambda spec: spec.label(),
)
def test_least_squares_make_the_free_layer_the_circuit_as_pennylane_computes_it(spec):
    torch.manual_seed(1)
    circuit, free = QuantumLayer(spec, "pennylane"), CosineLayer(spec)
    found = written_in("06", spec=spec)["imitate"](free, circuit)
    x = 2 * torch.randn(40, spec.n_inputs)
    with torch.no_grad():
        torch.testing.assert_close(found(x), circuit(x), rtol=0, atol=5e-6)


# ------------------------------------------------------------------------ notebook 13: capstone


def test_accuracy_at_every_threshold_as_scikit_learn_counts_it():
    candidates = np.array([0.1, 0.5, 0.9])
    accuracy_at = written_in("13", candidates=candidates)["accuracy_at"]
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 50), rng.random((3, 50))
    counted = [np.mean([accuracy_score(y, row >= t) for row in p]) for t in candidates]
    assert np.allclose(accuracy_at(y, p), counted)


def test_a_quotation_has_no_headings_of_its_own():
    """A heading in an output would stand in the contents of the book's page."""
    made = written_in("13")["quoted"]("> note\n\n# Title\n\n## A part\n\ntext # not one").data
    assert made == "***\n\n> note\n\n**Title**\n\n**A part**\n\ntext # not one\n\n***"
