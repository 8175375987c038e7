"""Pictures of circuits and states. Each returns its figure, closed, so that a notebook shows it once."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from hqnn_utils.plots.figures import finish, house_style


def bloch_sphere(vectors, title: str = "", labels=None):
    """Arrows in the Bloch sphere. ``vectors`` is (n, 3): <X>, <Y>, <Z>; an arrow shorter than 1 is an entangled or mixed qubit."""
    figure = plt.figure(figsize=(4.2, 4.2))
    axis = figure.add_subplot(projection="3d", box_aspect=(1, 1, 1))
    u, v = np.mgrid[0 : 2 * np.pi : 25j, 0 : np.pi : 13j]
    axis.plot_wireframe(
        np.cos(u) * np.sin(v), np.sin(u) * np.sin(v), np.cos(v), color="0.8", lw=0.5
    )
    for index, vector in enumerate(np.asarray(vectors, float)):
        axis.quiver(
            0,
            0,
            0,
            *vector,
            color=f"C{index}",
            lw=2.5,
            arrow_length_ratio=0.12,
            label=None if labels is None else labels[index],
        )
    for position, text in (
        ((0, 0, 1.2), "|0⟩"),
        ((0, 0, -1.35), "|1⟩"),
        ((1.25, 0, 0), "X"),
        ((0, 1.25, 0), "Y"),
    ):
        axis.text(*position, text, ha="center")
    axis.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), zlim=(-0.8, 0.8))
    axis.view_init(elev=18, azim=25)
    axis.set_axis_off()
    if labels is not None:
        axis.legend(fontsize=8)
    return finish(figure, "", title)


def kernel_grid(kernels: dict[str, np.ndarray], per_class: int, banner: str = ""):
    """Fidelity matrices side by side; lines separate the first ``per_class`` images (malignant) from the rest."""
    figure, axes = plt.subplots(
        1, len(kernels), figsize=(2.6 * len(kernels) + 0.8, 3.1), layout="constrained"
    )
    for axis, (name, kernel) in zip(np.atleast_1d(axes), kernels.items()):
        picture = axis.matshow(kernel, vmin=0, vmax=1, cmap="viridis")
        for draw in (axis.axhline, axis.axvline):
            draw(per_class - 0.5, color="white", lw=1)
        axis.set(title=name, xticks=[], yticks=[])
    figure.colorbar(picture, ax=axes, shrink=0.8, label="fidelity")
    figure.suptitle(f"{banner}fidelity of {len(kernel)} images, malignant first")
    plt.close(figure)
    return figure


def spectra(found: dict[str, np.ndarray], highest: int):
    """|c_k| per frequency: mean (dot) and range (bar) over random weights. ``found[name]`` is (draws, frequencies)."""
    with house_style():
        figure, axes = plt.subplots(1, len(found), figsize=(2.9 * len(found), 3), sharey=True)
        for axis, (name, values) in zip(np.atleast_1d(axes), found.items()):
            values = values[:, : highest + 1]
            axis.vlines(
                range(highest + 1), values.min(axis=0), values.max(axis=0), color="0.7", lw=6
            )
            axis.plot(range(highest + 1), values.mean(axis=0), "o", color="#D55E00")
            axis.set(title=name, xlabel="frequency k", xticks=range(highest + 1))
        np.atleast_1d(axes)[0].set_ylabel("size of coefficient |c_k|")
    return finish(figure, "", "Fourier coefficients of the output as a function of one feature")


def entanglement_by_layer(table, haar_mean: float):
    """Box per ansatz and depth of the Meyer-Wallach Q. Columns: ansatz, layers, Q."""
    with house_style():
        figure, axis = plt.subplots(figsize=(9.5, 3.8))
        sns.boxplot(
            table,
            x="ansatz",
            y="Q",
            hue="layers",
            ax=axis,
            fliersize=1,
            linewidth=0.8,
            palette="crest",
        )
        axis.axhline(
            haar_mean, color="black", ls="--", lw=1, label=f"mean of Haar states ({haar_mean:.2f})"
        )
        axis.set(xlabel="", ylabel="Meyer-Wallach Q", ylim=(-0.03, 1.03))
        axis.legend(title="layers", fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return finish(figure, "", "entanglement of random circuits, 4 qubits")


def expressibility_by_layer(table, floor: tuple[float, float, float], pairs: int):
    """Expr against depth with the estimator's floor. Columns: ansatz, layers, Expr."""
    with house_style():
        figure, axis = plt.subplots(figsize=(8, 4))
        sns.lineplot(table, x="layers", y="Expr", hue="ansatz", marker="o", ax=axis)
        axis.axhspan(floor[1], floor[2], color="0.75", label="floor: Haar against Haar (95 %)")
        axis.set(yscale="log", ylabel="Expr (KL divergence, nats)", xlabel="layers")
        axis.legend(fontsize=8)
    return finish(figure, "", f"expressibility (lower = closer to Haar), 4 qubits, {pairs} pairs")


def plateaus(table):
    """Gradient variance against qubits, logarithmic. Columns: setting, qubits, variance."""
    with house_style():
        figure, axis = plt.subplots(figsize=(8, 4))
        sns.lineplot(
            table,
            x="qubits",
            y="variance",
            hue="setting",
            style="setting",
            markers=True,
            dashes=False,
            ax=axis,
        )
        axis.set(yscale="log", ylabel="variance of the gradient", xlabel="qubits")
        axis.legend(fontsize=8)
    return finish(figure, "", "gradient variance over random weights")


def timing_bars(milliseconds: dict[str, float], title: str, unit: str = "ms"):
    """Horizontal bars on a logarithmic scale, each labelled with its value."""
    with house_style():
        figure, axis = plt.subplots(figsize=(8, 0.5 * len(milliseconds) + 1.4))
        bars = axis.barh(list(milliseconds), list(milliseconds.values()), color="#0072B2")
        axis.bar_label(bars, fmt="%.3g", padding=3)
        axis.set(xscale="log", xlabel=f"{unit} (logarithmic)")
        axis.xaxis.set_minor_formatter(plt.NullFormatter())
        axis.margins(x=0.15)
        axis.invert_yaxis()
    return finish(figure, "", title)
