"""python -m imprint.train.image_small trains the trunk; see `recipe`."""

from imprint.train.image_small.recipe import main

if __name__ == "__main__":
    main()
