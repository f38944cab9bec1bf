"""`tag`: what people write on runs, from a terminal."""

from __future__ import annotations

from argparse import Namespace

from mnist_dash.cli.store_opening import opened
from mnist_dash.errors import InvalidInput


def tag(arguments: Namespace) -> int:
    """Tag, name, star or archive runs and say what they have now."""
    from mnist_dash.runs.actions import run_annotations
    from mnist_dash.runs.query import catalog

    ids = tuple(dict.fromkeys(arguments.runs))
    if arguments.name is not None and len(ids) > 1:
        raise InvalidInput(f"--name: a name is for one run; got {len(ids)} runs. Name them one by one.")
    if not (arguments.add or arguments.remove) and all(value is None for value in (arguments.name, arguments.star, arguments.archive)):
        raise InvalidInput("Something is to be changed; got no option that says what. Give --add TAG, say.")
    tags = [run_annotations.check_tag(each) for each in arguments.add]
    with opened() as store:
        for run_id in ids:
            store.run(run_id)  # all are there before any is changed
        if arguments.name is not None:
            run_annotations.rename(store, ids[0], arguments.name)
        if tags:
            run_annotations.add_tags(store, ids, tags)
        if arguments.remove:
            run_annotations.remove_tags(store, ids, [each.strip() for each in arguments.remove])
        if arguments.star is not None:
            run_annotations.star(store, ids, starred=arguments.star)
        if arguments.archive is not None:
            (run_annotations.archive if arguments.archive else run_annotations.unarchive)(store, ids)
        found = catalog.by_ids(store, ids)
    for each in found:
        words = [each.run.name or "", "starred" if each.run.starred else "", "archived" if each.run.archived_at else "", *each.tags]
        print(f"Run {each.run.id}: {', '.join(word for word in words if word) or 'no name and no tags'}")
    return 0
