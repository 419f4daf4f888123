"""Builds the compiled kernels where there is a C compiler; all else is in setup.cfg."""

import runpy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("guanyu_mpi/aggregation/kernels/native")
SOURCES = [*sorted(NATIVE.glob("*.[ch]")), NATIVE / "generate.py", NATIVE.parent / "network.py"]


class BuildKernels(build_ext):
    """Writes the generated sources before it compiles."""

    def build_extension(self, ext: Extension) -> None:
        """Compile kernels.c with the headers that generate.py writes."""
        folder = Path(self.build_temp)
        folder.mkdir(parents=True, exist_ok=True)
        runpy.run_path(str(NATIVE / "generate.py"))["write"](folder)
        ext.include_dirs.append(str(folder))
        super().build_extension(ext)


setup(
    cmdclass={"build_ext": BuildKernels},
    ext_modules=[
        Extension(
            # No module: ctypes loads it.
            "guanyu_mpi.aggregation.kernels.native._kernels",
            sources=[str(NATIVE / "kernels.c")],
            depends=[str(path) for path in SOURCES],
            # Results are those of numpy bit for bit: no sum is reordered or fused.
            extra_compile_args=["-O3", "-ffp-contract=off", "-g0"],
            # Without it, numpy does the work.
            optional=True,
        )
    ],
)
