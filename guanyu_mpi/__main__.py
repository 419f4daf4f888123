"""`python -m guanyu_mpi` is the command `guanyu`."""

from guanyu_mpi.cli import main

if __name__ == "__main__":
    main()
