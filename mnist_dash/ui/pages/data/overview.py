"""What a data set holds as a whole: parts, classes, grey values, and where it is from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from mnist_dash import formatting
from mnist_dash.core.config.run_config import DatasetName
from mnist_dash.core.data.idx import CLASS_NAMES
from mnist_dash.figures.base.samples import draw_class_counts, draw_grey_values
from mnist_dash.ui.elements.live_plot import live_plot
from mnist_dash.ui.elements.picture_grid import picture_grid
from mnist_dash.ui.pages.data.data_set import Archive, archive, counts_by_part, statistics, title

MNIST_SOURCE = (
    "**Source.** The MNIST database is by Yann LeCun, Corinna Cortes and Christopher J.C. Burges, who hold its copyright. It is described "
    "in LeCun, Bottou, Bengio, Haffner, “Gradient-based learning applied to document recognition”, Proceedings of the IEEE 86(11), 1998. "
    "The four original archives ship with this program, byte for byte.\n\n"
    "**Licence.** [CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/); the MIT licence of this program does not cover it."
)
AUTHORS = {
    "fashion_mnist": "Xiao, Rasul, Vollgraf, “Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms”, 2017.",
    "kmnist": "Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha, “Deep Learning for Classical Japanese Literature”, 2018.",
    "qmnist": "Yadav and Bottou, “Cold Case: The Lost MNIST Digits”, 2019.",
    "emnist_digits": "Cohen, Afshar, Tapson, van Schaik, “EMNIST: an extension of MNIST to handwritten letters”, 2017.",
}


def source(dataset: DatasetName) -> None:
    """Say who made the data set and on which terms it may be used."""
    if dataset == "mnist":
        st.markdown(MNIST_SOURCE)
    else:
        st.markdown(
            f"**Source.** {AUTHORS[dataset]} Read from the folder of data sets.\n\n"
            "**Licence.** See the source of the files. The MIT licence of this program does not cover them."
        )


def class_counts(dataset: DatasetName) -> None:
    """Draw the images of each class by part, and the same as a table."""
    counts = counts_by_part(dataset)
    totals = ", ".join(f"{sum(values):,} {part}" for part, values in counts.items())
    note = (
        " The validation set is the last sixth of the training archive, as in runs by default."
        if "validation" in counts
        else ""
    )
    st.caption(f"{totals} images.{note}")
    live_plot(
        str(draw_class_counts(counts, CLASS_NAMES[dataset]).to_json()),
        key="data_counts_chart",
        alt=f"Images of each class of {title(dataset)} by part: {totals}",
        height=280,
    )
    with st.expander("Table of counts", icon=":material/table_rows:"):
        table = pd.DataFrame(counts, index=pd.Index(CLASS_NAMES[dataset], name="class"))
        whole = pd.DataFrame([table.sum()], index=pd.Index(["all"], name="class"))
        st.dataframe(
            pd.concat([table, whole]), height="content", alt="Images of each class by part"
        )


def class_pictures(part: Archive) -> None:
    """Draw mean and deviation of each class."""
    found, _ = statistics(part.dataset, part.name)
    names = part.class_names
    st.caption(
        f"Computed for each pixel over the {part.name} archive. A pixel is "
        "bright in the mean where nearly all images have ink, and bright in "
        "the standard deviation where only some have it, because the class is written in several ways."
    )
    for word, images, peak in (
        ("Mean", found.means, 255.0),
        ("Standard deviation", found.deviations, float(found.deviations.max()) or 1),
    ):
        st.markdown(
            f"**{word} of each class**" + ("" if peak == 255 else f", white is {peak:.0f} of 255")
        )
        picture_grid(
            np.rint(images * (255 / peak)).clip(0, 255).astype(np.uint8),
            key=f"data_{word.split()[-1].lower()}_images",
            alt=f"{word} image of each of the ten classes",
            columns=(10, 5),
            captions=names,
            titles=[
                f"{name}: {count:,} images, {word.lower()} {image.mean():.1f} on average over the pixels"
                for name, count, image in zip(names, found.counts, images, strict=True)
            ],
            max_side=112,
        )


def grey_values(part: Archive) -> None:
    """Draw the histogram of all pixels."""
    _, counts = statistics(part.dataset, part.name)
    values, total = np.arange(256), int(counts.sum())
    mean = float(counts @ values / total)
    deviation = float(np.sqrt(counts @ (values - mean) ** 2 / total))
    st.caption(
        f"All {total:,} pixels of the {part.name} archive: {formatting.percent(counts[0] / total)} "
        f"are background (0), {formatting.percent(counts[255] / total)} are full "
        f"ink (255). Mean {mean:.2f}, standard deviation {deviation:.2f}; divided by 255, {mean / 255:.4f} and {deviation / 255:.4f}."
    )
    log_scale = st.toggle("Log y", value=True, key="log", bind="query-params")
    live_plot(
        str(draw_grey_values(counts.tolist(), log_scale=log_scale).to_json()),
        key="data_grey_chart",
        alt=f"Histogram of the grey values of {total:,} pixels",
        height=280,
    )


def read_parts(dataset: DatasetName) -> dict[str, Archive]:
    """Read both archives of a data set."""
    return {name: archive(dataset, name) for name in ("training", "test")}
