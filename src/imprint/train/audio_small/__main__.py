"""python -m imprint.train.audio_small trains the network; see `recipe`."""

from imprint.train.audio_small.recipe import main

if __name__ == "__main__":
    main()
