"""The kernels' C sources, the generator of their longest parts, and the library made of them."""
