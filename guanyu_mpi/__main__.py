"""`python -m guanyu_mpi` is the command `guanyu`."""

from guanyu_mpi.stand_in import stand_in

if __name__ == "__main__":
    # First: who only waits for its rank needs nothing else of this package.
    stand_in()
    from guanyu_mpi.cli import main

    main()
