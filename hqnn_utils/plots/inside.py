"""Pictures of what a model looks at and of what its qubits carry. Each returns its figure, closed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from hqnn_utils.plots.figures import COLOURS, finish, house_style

METHOD_NAMES = {
    "grad_cam": "Grad-CAM",
    "integrated_gradients": "integrated gradients",
    "occlusion": "occlusion",
}


def map_grid(
    images,
    maps: dict[str, np.ndarray],
    masks=None,
    rows=None,
    banner: str = "",
    title: str = "evidence for malignant",
):
    """One row an image: the image, then each map (red: for malignant, blue: against) over it; the white line is the lesion's mask.

    ``images`` (n, H, W) uint8; each map (n, H, W); each panel has its own colour scale. ``rows`` names the images.
    """
    figure, axes = plt.subplots(
        len(images),
        1 + len(maps),
        figsize=(1.9 * (1 + len(maps)), 1.85 * len(images) + 0.7),
        squeeze=False,
    )
    for index, line in enumerate(axes):
        for axis, (name, found) in zip(line, {"image": None, **maps}.items()):
            axis.imshow(images[index], cmap="gray", vmin=0, vmax=255)
            if found is not None:
                size = np.abs(found[index]).max() or 1.0
                axis.imshow(found[index], cmap="RdBu_r", vmin=-size, vmax=size, alpha=0.65)
            if masks is not None and masks[index].any():
                axis.contour(
                    masks[index],
                    levels=[0.5],
                    colors="white" if found is None else "black",
                    linewidths=1,
                )
            axis.set(xticks=[], yticks=[])
            if index == 0:
                axis.set_title(METHOD_NAMES.get(name, name), fontsize=8)
        if rows is not None:
            line[0].set_ylabel(rows[index], fontsize=8)
    return finish(figure, banner, title)


def localisation(table, references: dict[str, float], banner: str = ""):
    """Score of each method (panel) and head (column): dots are seeds, bars means, lines what needs no model.

    Columns of ``table``: method, head, score.
    """
    heads = list(dict.fromkeys(table["head"]))
    with house_style():
        figure, axes = plt.subplots(
            1, table["method"].nunique(), figsize=(11, 4), sharey=True, squeeze=False
        )
        for axis, (method, part) in zip(axes[0], table.groupby("method", sort=False)):
            for column, head in enumerate(heads):
                values = part.loc[part["head"] == head, "score"]
                axis.scatter(
                    [column] * len(values), values, color=COLOURS.get(head, f"C{column}"), zorder=2
                )
                axis.hlines(
                    values.mean(), column - 0.25, column + 0.25, color="black", lw=2, zorder=3
                )
            for style, (name, value) in zip((":", "--", "-.", "-"), references.items()):
                axis.axhline(value, color="0.4", ls=style, lw=1.2, label=f"{name} ({value:.2f})")
            axis.set(
                title=METHOD_NAMES.get(method, method),
                ylim=(0, 1.02),
                xlim=(-0.6, len(heads) - 0.4),
            )
            axis.set_xticks(range(len(heads)), [h.replace("_", "\n") for h in heads])
        axes[0][0].set_ylabel("highest point lies in the lesion")
        figure.legend(
            *axes[0][0].get_legend_handles_labels(),
            loc="lower center",
            ncols=len(references),
            fontsize=8,
            bbox_to_anchor=(0.5, -0.06),
        )
    return finish(
        figure, banner, "pointing game on malignant test lesions (dots: seeds, bars: means)"
    )


def cascade(table, banner: str = ""):
    """Rank correlation with the map of the trained model while layers are reset from the output down. Columns: method, head, share, kind, value."""
    with house_style():
        figure, axes = plt.subplots(
            1, table["method"].nunique(), figsize=(11, 3.9), sharey=True, squeeze=False
        )
        for axis, (method, part) in zip(axes[0], table.groupby("method", sort=False)):
            for (head, kind), line in part.groupby(["head", "kind"], sort=False):
                axis.plot(
                    line["share"],
                    line["value"],
                    "-o" if kind == "signed" else ":",
                    color=COLOURS.get(head),
                    markersize=4,
                    label=f"{head}, {kind}",
                )
            axis.axhline(0, color="black", lw=0.8)
            axis.set(
                title=METHOD_NAMES.get(method, method),
                xlabel="share of the layers reset",
                ylim=(-1.05, 1.05),
            )
        axes[0][0].set_ylabel("rank correlation with the\ntrained model's map")
        handles = max((a.get_legend_handles_labels() for a in axes[0]), key=lambda h: len(h[0]))
        figure.legend(
            *handles, loc="lower center", ncols=4, fontsize=8, bbox_to_anchor=(0.5, -0.12)
        )
    return finish(
        figure, banner, "sanity check: layers get random weights, from the output to the input"
    )


def outputs_by_class(outputs, labels, banner: str = "", title: str = "what each qubit says"):
    """Histogram of each output (N, n) by class, one panel an output, on -1..1."""
    n = outputs.shape[1]
    with house_style():
        figure, axes = plt.subplots(1, n, figsize=(2.6 * n, 2.9), sharey=True, squeeze=False)
        for qubit, axis in enumerate(axes[0]):
            for label, colour, name in (
                (0, "#56B4E9", "benign or normal"),
                (1, "#D55E00", "malignant"),
            ):
                axis.hist(
                    outputs[labels == label, qubit],
                    bins=np.linspace(-1, 1, 25),
                    density=True,
                    alpha=0.6,
                    color=colour,
                    label=name,
                )
            axis.set(title=f"qubit {qubit}", xlabel="expectation value of Z")
        axes[0][0].set_ylabel("density")
        axes[0][0].legend(fontsize=7)
    return finish(figure, banner, title)


def information(matrices: list[np.ndarray], lengths: list[np.ndarray], banner: str = ""):
    """Pairwise mutual information (bits) behind the encoding and each layer, and below it the length of each qubit's Bloch vector."""
    names = ["encoding"] + [f"layer {k}" for k in range(1, len(matrices))]
    top = max(m.max() for m in matrices) or 1.0
    figure, axes = plt.subplots(
        1,
        len(matrices) + 1,
        figsize=(3.1 * (len(matrices) + 1), 3.2),
        width_ratios=[1] * len(matrices) + [1.25],
    )
    for axis, matrix, name in zip(axes, matrices, names):
        sns.heatmap(
            np.abs(np.round(matrix, 2)),
            annot=True,
            fmt=".2f",
            cmap="viridis",
            vmin=0,
            vmax=top,
            cbar=False,
            square=True,
            ax=axis,
        )
        axis.set(title=f"bits shared behind {name}", xlabel="qubit", ylabel="qubit")
        axis.title.set_fontsize(9)
    for qubit, line in enumerate(np.array(lengths).T):
        axes[-1].plot(range(len(names)), line, "o-", label=f"qubit {qubit}")
    axes[-1].set(
        xticks=range(len(names)),
        xticklabels=names,
        ylim=(0, 1.05),
        ylabel="length of the Bloch vector",
    )
    axes[-1].legend(fontsize=7)
    return finish(figure, banner, "what the qubits know of each other, mean over test images")


def bloch_planes(vectors: list[np.ndarray], labels, banner: str = ""):
    """Mean arrows of each qubit in the plane of Y and Z behind the encoding and each layer: malignant solid, the others faint.

    ``vectors`` (N, n, 3) for each place. For circuits whose <X> is 0 the plane holds everything.
    """
    names = ["encoding"] + [f"layer {k}" for k in range(1, len(vectors))]
    figure, axes = plt.subplots(
        1, len(vectors), figsize=(3.0 * len(vectors) + 1.4, 3.3), squeeze=False
    )
    for axis, found, name in zip(axes[0], vectors, names):
        axis.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.6"))
        for qubit in range(found.shape[1]):
            for label, strength in ((0, 0.35), (1, 1.0)):
                _, across, up = found[labels == label, qubit].mean(axis=0)
                axis.annotate(
                    "",
                    (across, up),
                    (0, 0),
                    arrowprops=dict(arrowstyle="->", color=f"C{qubit}", alpha=strength, lw=2),
                )
        axis.set(
            title=f"behind {name}",
            xlabel="<Y>",
            ylabel="<Z>",
            xlim=(-1.1, 1.1),
            ylim=(-1.1, 1.1),
            aspect="equal",
        )
    lines = [
        plt.Line2D([], [], color=f"C{q}", lw=2, label=f"qubit {q}")
        for q in range(vectors[0].shape[1])
    ]
    axes[0][-1].legend(handles=lines, fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    return finish(figure, banner, "mean Bloch vectors: malignant solid, benign or normal faint")


def response_surface(
    grid, values, points, labels, axes_names: tuple[str, str], banner: str = "", title: str = ""
):
    """Log odds over two angles (the others fixed) with the decision boundary, and where the images lie. ``values`` is (len(grid),) * 2, [row, column]
    = [second, first] angle; ``points`` (N, 2)."""
    with house_style():
        figure, axis = plt.subplots(figsize=(6.4, 4.9))
        size = float(np.abs(values).max()) or 1.0
        shown = axis.contourf(
            grid, grid, values, levels=np.linspace(-size, size, 21), cmap="RdBu_r"
        )
        if values.min() < 0 < values.max():
            axis.contour(grid, grid, values, levels=[0], colors="black", linewidths=2)
        for label, marker, name in ((0, "o", "benign or normal"), (1, "^", "malignant")):
            colour = "#56B4E9" if label == 0 else "#D55E00"
            axis.scatter(
                *points[labels == label].T,
                marker=marker,
                s=26,
                color=colour,
                edgecolor="white",
                linewidth=0.6,
                label=name,
            )
        axis.set(
            xlabel=f"{axes_names[0]} (radian)",
            ylabel=f"{axes_names[1]} (radian)",
            xlim=(grid[0], grid[-1]),
            ylim=(grid[0], grid[-1]),
        )
        figure.colorbar(shown, ax=axis, label="log odds of malignant", format="%.1f")
        axis.legend(fontsize=8, loc="upper right")
    return finish(figure, banner, title)


def reliability_lines(tables: dict[str, object], banner: str = ""):
    """Reliability diagrams side by side, one panel a head. ``tables[head]`` is a table of ``metrics.reliability``; area of a dot: images."""
    with house_style():
        figure, axes = plt.subplots(
            1, len(tables), figsize=(2.45 * len(tables), 3), sharey=True, squeeze=False
        )
        for column, (axis, (name, table)) in enumerate(zip(axes[0], tables.items())):
            axis.plot([0, 1], [0, 1], ":", color="black", lw=1)
            colour = COLOURS.get(name, f"C{column + 5}")
            axis.plot(table["predicted"], table["observed"], color=colour, lw=1)
            axis.scatter(
                table["predicted"],
                table["observed"],
                s=220 * table["n"] / table["n"].sum() + 6,
                color=colour,
            )
            axis.set(title=name, xlabel="predicted", xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1))
        axes[0][0].set_ylabel("share that is malignant")
    return finish(figure, banner, "reliability, all seeds pooled (area of a dot: number of images)")
