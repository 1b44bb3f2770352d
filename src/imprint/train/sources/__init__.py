"""Where training images come from: folders, npz tables, Omniglot."""
