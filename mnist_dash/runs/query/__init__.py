"""What is known of many runs: the query language, lists, groups, comparisons, estimates."""
