"""`tag`: names, tags, stars and the archive."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_dash.cli.store_opening import opened
from mnist_dash.errors import InvalidInput


def tag(
    *,
    run_ids: Sequence[str],
    add: Sequence[str],
    remove: Sequence[str],
    name: str | None,
    star: bool | None,
    archive: bool | None,
) -> int:
    """Tag, name, star or archive runs and say what they have now."""
    from mnist_dash.runs.actions import run_annotations
    from mnist_dash.runs.query import catalog

    ids = tuple(dict.fromkeys(run_ids))
    if name is not None and len(ids) > 1:
        raise InvalidInput(
            f"--name: {len(ids)} runs cannot have one name (a name is for one run). Name them one by one."
        )
    if not (add or remove) and all(value is None for value in (name, star, archive)):
        raise InvalidInput(
            "Nothing to change: --add, --remove, --name, --star and --archive are missing. Give --add demo, for example."
        )
    tags = [run_annotations.check_tag(each) for each in add]
    with opened() as store:
        for run_id in ids:
            store.run(run_id)  # all are there before any is changed
        if name is not None:
            run_annotations.rename(store, ids[0], name)
        if tags:
            run_annotations.add_tags(store, ids, tags)
        if remove:
            run_annotations.remove_tags(store, ids, [each.strip() for each in remove])
        if star is not None:
            run_annotations.star(store, ids, starred=star)
        if archive is not None:
            (run_annotations.archive if archive else run_annotations.unarchive)(store, ids)
        found = catalog.by_ids(store, ids)
    for each in found:
        words = [
            each.run.name or "",
            "starred" if each.run.starred else "",
            "archived" if each.run.archived_at else "",
            *each.tags,
        ]
        print(
            f"Run {each.run.id}: {', '.join(word for word in words if word) or 'no name and no tags'}"
        )
    return 0
