"""One short run to the last bit: what makes training faster must not change it.

The figures below change where what is computed is meant to change: another aggregation, protocol,
frame or random stream. Such a change says so, says why in CHANGELOG.md, and writes the new ones
here. Nothing else may change them; neither may the kernels in use, the processor, or torch.
"""
