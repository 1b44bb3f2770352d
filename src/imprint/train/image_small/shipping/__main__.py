"""python -m imprint.train.image_small.shipping writes what the package ships; see `publish`."""

from imprint.train.image_small.shipping.publish import main

if __name__ == "__main__":
    main()
